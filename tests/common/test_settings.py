"""Settings: flag > environment > default, and bad values named."""

from __future__ import annotations

import pytest

from services.common.environment import SERVICES, settings_class
from services.common.load_settings import load_settings
from services.common.settings import StageSettings


def test_flag_goes_before_own_environment_before_common_before_default(monkeypatch):
    monkeypatch.setenv("UNFLAT_QUEUE", "3")
    assert load_settings(StageSettings, "depth", []).queue == 3
    monkeypatch.setenv("UNFLAT_DEPTH_QUEUE", "4")
    assert load_settings(StageSettings, "depth", []).queue == 4
    assert load_settings(StageSettings, "mesher", []).queue == 3
    assert load_settings(StageSettings, "depth", ["--queue", "5"]).queue == 5


def test_a_bad_value_ends_the_process_with_its_name_and_what_was_seen(monkeypatch, capsys):
    monkeypatch.setenv("UNFLAT_DEPTH_CONCURRENCY", "many")
    with pytest.raises(SystemExit) as caught:
        load_settings(StageSettings, "depth", [])
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert "UNFLAT_DEPTH_CONCURRENCY" in said
    assert "'many'" in said
    assert "Traceback" not in said


def test_an_unknown_flag_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as caught:
        load_settings(StageSettings, "depth", ["--quue", "5"])
    assert caught.value.code == 2


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_warns_at_its_start_and_goes_on(service, monkeypatch, capsys):
    monkeypatch.setenv("UNFLAT_LOG_LEVL", "debug")
    assert load_settings(settings_class(service), service, []).log_level == "info"
    assert capsys.readouterr().err.startswith(
        f"unflat-{service}: UNFLAT_LOG_LEVL in the environment sets nothing; near:"
    )
