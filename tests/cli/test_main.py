"""The command as people start it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.common.version import VERSION


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_version_is_one_line():
    done = _command("--version")
    assert (done.returncode, done.stdout) == (0, f"unflat {VERSION}\n")


@pytest.mark.slow
def test_an_unknown_command_is_wrong_usage_without_a_trace():
    done = _command("melt")
    assert done.returncode == 2
    assert "No such command" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command(unflat):
    ended = unflat("--help")
    assert ended.code == 0
    for name in ("mesh", "cutout", "depth", "up", "status", "doctor", "models"):
        assert name in ended.out


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_status_of_nobody_is_exit_1_with_a_sentence(unflat, extra):
    ended = unflat("status", "--server", "127.0.0.1:1", *extra)
    assert ended.code == 1
    assert "127.0.0.1:1" in ended.err
    assert "Traceback" not in ended.err


def test_a_misspelt_variable_is_told_beside_the_answer(unflat, monkeypatch):
    monkeypatch.setenv("UNFLAT_GATEWAY_TOKKEN", "x")
    ended = unflat("--version")
    assert ended.code == 0
    assert "UNFLAT_GATEWAY_TOKKEN in the environment sets nothing; near: UNFLAT_GATEWAY_TOKEN" in ended.err
