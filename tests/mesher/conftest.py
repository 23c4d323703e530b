"""Small framed subjects with known shape: a ball, a ring, sticks, and a plate on a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from services.mesher.geometry.camera import Camera

Picture = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
SIDE = 192


@pytest.fixture
def camera() -> Camera:
    return Camera(focal_px=1.6 * SIDE, cx=SIDE / 2, cy=SIDE / 2)


@pytest.fixture
def pixels() -> tuple[Field, Field]:
    v, u = np.mgrid[:SIDE, :SIDE].astype(np.float32) + np.float32(0.5)
    return u, v


@pytest.fixture
def cut() -> Callable[..., Picture]:
    """Return an RGBA picture of a mask: red subject, or its own colours, on blue."""

    def make(inside: Field, colour: tuple[int, int, int] = (200, 40, 40)) -> Picture:
        alpha = np.clip(inside + 0.5, 0, 1)
        rgba = np.zeros((*inside.shape, 4), dtype=np.uint8)
        rgba[..., :3] = np.where((alpha >= 0.5)[..., None], colour, (20, 40, 220))
        rgba[..., 3] = np.rint(alpha * 255)
        return rgba

    return make


@pytest.fixture
def disc(pixels: tuple[Field, Field]) -> Field:
    """Return the signed distance inside a disc of radius 70 px at the middle."""
    u, v = pixels
    return np.asarray(70 - np.hypot(u - SIDE / 2, v - SIDE / 2), np.float32)


@pytest.fixture
def ring(pixels: tuple[Field, Field]) -> Field:
    """Return the signed distance inside a ring between radii 35 and 75 px."""
    u, v = pixels
    return np.asarray(20 - np.abs(np.hypot(u - SIDE / 2, v - SIDE / 2) - 55), np.float32)


@pytest.fixture
def ball_depth(disc: Field) -> Field:
    """Return the inverse depth of a ball that fills the disc before a far wall."""
    radius, distance = 70.0, 1.6 * SIDE
    r = radius - disc
    front = distance - np.sqrt(np.maximum(radius**2 - r**2, 0))
    return np.asarray(np.where(disc > 0, distance / front, 0.5), np.float32)
