from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.orchestrator.fusion.depth_reliability import why_unreliable
from services.orchestrator.fusion.fusion_input import FusionInput

SIDE = 320
_Y, _X = np.mgrid[:SIDE, :SIDE]
SUBJECT = (np.hypot(_X - 150, _Y - 150) < 70) | ((_X > 140) & (_X < 165) & (_Y > 150) & (_Y < 270))


def _view(dx: int = 0, dy: int = 0) -> FusionInput:
    depth = cv2.GaussianBlur(np.where(SUBJECT, 0.8, 0.2).astype(np.float32), (0, 0), 3.0)
    move = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    shifted = cv2.warpAffine(depth, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return FusionInput(np.full((SIDE, SIDE, 3), 128, np.uint8), SUBJECT.astype(np.float32), shifted)


def test_a_depth_map_in_its_place_is_reliable() -> None:
    assert why_unreliable(_view()) == ""


def test_a_small_offset_is_forgiven() -> None:
    assert why_unreliable(_view(2, -1)) == ""


@pytest.mark.parametrize(("dx", "dy"), [(8, 0), (-6, 6), (0, -8)])
def test_a_depth_map_out_of_place_is_unreliable(dx: int, dy: int) -> None:
    assert "out of place" in why_unreliable(_view(dx, dy))
