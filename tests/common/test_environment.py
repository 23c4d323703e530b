"""Which variables mean something, and to whom."""

from __future__ import annotations

import pytest

from services.common.environment import SERVICES, field_of, unknown_variables


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
