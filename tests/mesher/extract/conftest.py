"""Fields with known surfaces, in NumPy: their values fall off like the raw density of TripoSR does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Field = Callable[[np.ndarray], np.ndarray]
SLOPE = 60.0  # of the raw field near a surface; the fitted reference fields have 40 to 90 in units of the cube
FLOOR = -8.0  # what the field falls to far from everything


@pytest.fixture
def make_field() -> Callable[[Callable[[np.ndarray], np.ndarray]], Field]:
    """make_field(distance) → a field with its surface at 0 where `distance`, positive outside, is 0."""

    def make(distance: Callable[[np.ndarray], np.ndarray]) -> Field:
        return lambda p: np.clip(-SLOPE * distance(p), FLOOR, -FLOOR).astype(np.float32)

    return make


def _ball(p: np.ndarray, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.linalg.norm(p - np.asarray(centre), axis=1) - radius


def _rod(
    p: np.ndarray, start: tuple[float, float, float], end: tuple[float, float, float], radius: float
) -> np.ndarray:
    a, d = np.asarray(start), np.subtract(end, start)
    t = np.clip((p - a) @ d / (d @ d), 0, 1)
    return np.linalg.norm(p - a - t[:, None] * d, axis=1) - radius


def _ring(p: np.ndarray, radius: float, thickness: float) -> np.ndarray:
    return np.hypot(np.hypot(p[:, 0], p[:, 1]) - radius, p[:, 2]) - thickness


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ball": lambda p: _ball(p, (0.05, -0.02, 0.01), 0.5),
    "thin rod": lambda p: _rod(p, (-0.6, -0.5, -0.4), (0.55, 0.6, 0.5), 0.012),
    "ring and bead": lambda p: np.minimum(_ring(p, 0.5, 0.06), _ball(p, (0.01, 0.02, 0.013), 0.03)),
    "thin plate": lambda p: np.abs(p[:, 2] - 0.0117) - 0.008 + np.maximum(np.hypot(p[:, 0], p[:, 1]) - 0.5, 0),
    "crowd of beads": lambda p: np.min(
        [_ball(p, tuple(c), 0.025) for c in np.random.default_rng(3).uniform(-0.7, 0.7, (12, 3))], axis=0
    ),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest, make_field: Callable[..., Field]) -> Field:
    return make_field(SHAPES[request.param])


@pytest.fixture
def ball(make_field: Callable[..., Field]) -> Field:
    return make_field(SHAPES["ball"])


@pytest.fixture
def ring_and_bead(make_field: Callable[..., Field]) -> Field:
    return make_field(SHAPES["ring and bead"])
