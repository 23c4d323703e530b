"""A depth network that is set the wrong way round is told by the mask, and said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from services.orchestrator.input_checks.depth_polarity import looks_inverted, outline_shares, polarity_warning
from services.orchestrator.stages.stage_protocols import DepthAnswer
from services.orchestrator.stages.stage_receipts import stage_receipt
from tests.orchestrator.stand_ins import NEAR
from unflat.v1 import common_pb2
from unflat.v1 import orchestrator_pb2 as pb

SHAPE = (300, 400)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
SUBJECT = (X - 200) ** 2 + (Y - 170) ** 2 < 8100
ALPHA = SUBJECT.astype(np.float32)


def _depth(seed: int = 0) -> np.ndarray:
    """A disc that stands on a floor; blurred and noisy, as networks are."""
    rng = np.random.default_rng(seed)
    floor = np.clip((Y - 120) / 180, 0, 1)
    depth = np.where(SUBJECT, 0.75, 0.75 * floor)
    return np.asarray(ndimage.gaussian_filter(depth, 4) + 0.01 * rng.standard_normal(SHAPE), dtype=np.float32)


def test_a_right_map_is_left_in_peace() -> None:
    assert not looks_inverted(_depth(), ALPHA)


def test_a_negated_map_is_told() -> None:
    assert looks_inverted(-_depth(), ALPHA)


def test_metres_are_told() -> None:
    assert looks_inverted(1 / (_depth() + 0.2), ALPHA)


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_scale_and_shift_of_the_map_do_not_matter(scale: float) -> None:
    near, far = outline_shares(_depth(), ALPHA)
    assert outline_shares(scale * _depth() + 7 * scale, ALPHA) == pytest.approx((near, far), abs=0.02)


def test_a_thing_before_the_subject_on_one_side_is_no_inversion() -> None:
    depth = _depth()
    depth[:, 240:] = 1.5
    assert not looks_inverted(depth, np.where(X < 240, ALPHA, 0).astype(np.float32))


@pytest.mark.parametrize(
    ("depth", "alpha"),
    [
        (np.full(SHAPE, 3.0, np.float32), ALPHA),
        (-_depth(), np.zeros(SHAPE, np.float32)),
        (-_depth(), np.ones(SHAPE, np.float32)),
        (np.random.default_rng(1).random(SHAPE, dtype=np.float32), ALPHA),
    ],
    ids=["flat", "no subject", "all subject", "noise"],
)
def test_where_nothing_can_be_said_nothing_is(depth: np.ndarray, alpha: np.ndarray) -> None:
    assert not looks_inverted(depth, alpha)


def test_only_networks_of_the_users_own_are_suspected() -> None:
    assert "near=" in polarity_warning("onnx:/own.onnx", -_depth(), ALPHA)
    assert polarity_warning("depth-anything-v2:vits", -_depth(), ALPHA) == ""
    assert polarity_warning("onnx:/own.onnx", _depth(), ALPHA) == ""


@pytest.mark.parametrize(("sign", "warned"), [(-1, True), (1, False)])
def test_the_receipt_carries_the_sentence(bench, sign: int, warned: bool) -> None:
    report = common_pb2.StageReport(backend="onnx:/own.onnx", device="cpu")
    bench.depth.answer = lambda: DepthAnswer(sign * NEAR, stage_receipt("depth", pb.OUTCOME_OK, report=report))
    made = bench.cut()
    assert any("near=" in warning for warning in made.receipt.warnings) is warned
