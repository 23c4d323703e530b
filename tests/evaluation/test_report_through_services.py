"""One item through the real services gives what the algorithms give in process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.in_process import SIMULATED, Plan, make_in_process
from evaluation.sets import open_set
from evaluation.through_services import Services

FIXED = Path(__file__).parents[2] / "evaluation" / "fixed"
TRANSPORT = 0.01  # share of pixels that may differ by more than a few steps: masks and depth travel with fewer bits


@pytest.mark.e2e
def test_services_and_algorithms_agree() -> None:
    items = open_set(FIXED, limit=1)
    plan = Plan(("raw", "refined", "fused", "final"), ("final",), SIMULATED)
    with Services(items, plan) as services:
        made = services.make(items[0], plan)
    expected = make_in_process(items[0], plan)
    assert not made.failures
    assert made.meshes.keys() == expected.meshes.keys() == {"final"}
    for way, mask in expected.masks.items():
        differs = np.abs(made.masks[way].astype(int) - mask.astype(int)) > 8
        assert differs.mean() < TRANSPORT, f"{way}: {differs.mean():.2%} of the pixels differ"
