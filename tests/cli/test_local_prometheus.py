"""`unflat up --observability`: a Prometheus where there is one, a sentence where not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from services.cli.commands import up
from services.cli.local_prometheus import LocalPrometheus


def test_without_the_binary_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(up, "find_prometheus", lambda: None)
    console = Console(record=True, width=200)
    local_services: Any = SimpleNamespace(addresses=dict)
    assert up._start_prometheus(console, local_services) is None
    assert "apt-get install prometheus" in console.export_text()


@pytest.mark.slow
def test_a_prometheus_that_ignores_its_end_is_killed_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("services.cli.local_prometheus._STOP_S", 0.2)
    deaf = tmp_path / "prometheus"
    deaf.write_text("#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do sleep 0.05; done\n", encoding="utf-8")
    deaf.chmod(0o755)
    one = LocalPrometheus(str(deaf), {})
    while one.popen.poll() is None and not one.log.read_text(encoding="utf-8"):
        pass  # its trap is set once it has said so
    folder = one.log.parent
    one.stop()
    assert one.popen.returncode == -9
    assert not folder.exists()
