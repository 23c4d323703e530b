"""A trial at start-up: a faster arithmetic is taken only where it answers a synthetic picture as float32 does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.common.arrays import Float
from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.engine import Engine
from services.depth.depth_anything_v2.preprocess import to_network

MAX_ERROR = 0.01  # of the float32 map's range, at the worst pixel: more than that and an arithmetic is not taken


def settle(exact: Engine, faster: Sequence[Callable[[], Engine]]) -> tuple[Engine, str]:
    """Return the first engine of `faster` that passes its trial, else `exact`, and what to say where none did.

    Args:
        exact: in float32.
        faster: open the others, the fastest first; what one raises counts as failing.
    Raises:
        StageUnavailable: the float32 map itself is flat or not finite: the weights are damaged.
    """
    reference = exact.infer(probe())[0]
    if not np.isfinite(reference).all() or np.ptp(reference) == 0:
        raise StageUnavailable("the weights answer a flat map on a trial picture; their numbers are damaged")
    said = ""
    for open_engine in faster:
        try:
            engine = open_engine()
            error = error_share(engine.infer(probe())[0], reference)
        except Exception as problem:  # noqa: BLE001 - whatever a device cannot do, float32 can
            said = f"a faster arithmetic could not be tried ({type(problem).__name__}), so depth runs in float32"
            continue
        if error <= MAX_ERROR:  # False for NaN
            return engine, ""
        said = (
            f"{engine.dtype} would change a trial map by {error:.1%} of its range "
            f"(at most {MAX_ERROR:.0%} is allowed), so depth runs in float32, which is slower"
        )
    return exact, said


def error_share(fast: Float, exact: Float) -> float:
    """Return how far one map is from the other at its worst pixel, as a share of the exact one's range."""
    return float(np.abs(fast - exact).max() / np.ptp(exact))


def probe() -> Float:
    """Return a synthetic picture as network input: (1, 3, 266, 350), discs of many sizes on a ramp, no texture."""
    height, width = 266, 350
    y, x = np.mgrid[:height, :width].astype(np.float64)
    rgb = np.stack([255 * y / height, 255 * x / width, np.full_like(x, 96.0)], axis=-1)
    for i in range(12):
        centre_x, centre_y, radius = 29 * i % width, 97 * i % height, 8 + 5 * i
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
        rgb[inside] = [(70 * i) % 256, (131 * i) % 256, (193 * i) % 256]
    return to_network(rgb.astype(np.uint8), width, height)
