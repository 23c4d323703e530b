"""One item through the real services gives exactly what the pipeline gives in process."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.in_process import make_in_process
from evaluation.raw_masks import SIMULATED
from evaluation.requests import Plan
from evaluation.sets import FIXED, open_set
from evaluation.through_services import Services


@pytest.mark.e2e
def test_services_and_pipeline_in_process_agree() -> None:
    items = open_set(FIXED, limit=1)
    plan = Plan(("raw", "refined", "fused", "final"), ("raw", "final"), SIMULATED)
    with Services(items, plan) as services:
        through_services = services.make(items[0], plan)
    in_process = make_in_process(items[0], plan)
    assert not through_services.failures and not in_process.failures
    assert through_services.notes == in_process.notes
    assert through_services.meshes == in_process.meshes
    for variant, mask in in_process.masks.items():
        np.testing.assert_array_equal(through_services.masks[variant], mask, err_msg=variant)
