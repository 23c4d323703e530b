"""Settings: flag > environment > default, and bad values named."""

from __future__ import annotations

import pytest

from services.common.settings import SERVICES, StageSettings, field_of, load_settings, settings_class, unknown_variables


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


@pytest.mark.parametrize("variable", ["UNFLAT_PORT", "UNFLAT_DEPTH_PORT"])
def test_common_and_own_prefix_both_set_a_field(variable):
    assert field_of(variable, "depth") == "port"


@pytest.mark.parametrize("variable", ["UNFLAT_PROT", "UNFLAT_MESHER_PORT", "PORT"])
def test_a_variable_of_nothing_or_of_another_service_sets_no_field(variable):
    assert field_of(variable, "depth") is None


@pytest.mark.parametrize("service", [*SERVICES, None])
@pytest.mark.parametrize(
    "variable",
    [
        "UNFLAT_DEPTH_PORT",
        "UNFLAT_MODELS",
        "UNFLAT_TLS_CERT",
        "UNFLAT_MAX_PIXELS",  # the orchestrator's alone, by its common name
        "UNFLAT_TEST_FULL_SIZE",
        "PATH",
    ],
)
def test_a_variable_that_means_something_to_anyone_is_not_complained_of(variable, service):
    assert list(unknown_variables([variable], service)) == []


def test_a_misspelt_variable_is_told_with_the_near_ones():
    (told,) = unknown_variables(["UNFLAT_DEPTH_TREADS"], "depth")
    assert told.startswith("UNFLAT_DEPTH_TREADS in the environment sets nothing; near: UNFLAT_DEPTH_THREADS")
    (told,) = unknown_variables(["UNFLAT_NOTHING_LIKE_IT"], "depth")
    assert told == "UNFLAT_NOTHING_LIKE_IT in the environment sets nothing"


def test_a_misspelt_variable_of_another_service_is_left_to_that_one():
    assert list(unknown_variables(["UNFLAT_GATEWAY_TOKKEN"], "depth")) == []
    assert len(list(unknown_variables(["UNFLAT_GATEWAY_TOKKEN"], "gateway"))) == 1
    assert len(list(unknown_variables(["UNFLAT_GATEWAY_TOKKEN"]))) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_warns_at_its_start_and_goes_on(service, monkeypatch, capsys):
    monkeypatch.setenv("UNFLAT_LOG_LEVL", "debug")
    assert load_settings(settings_class(service), service, []).log_level == "info"
    assert capsys.readouterr().err.startswith(
        f"unflat-{service}: UNFLAT_LOG_LEVL in the environment sets nothing; near:"
    )
