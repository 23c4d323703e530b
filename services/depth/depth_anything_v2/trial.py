"""A trial at start-up: a faster arithmetic is taken only where it answers a synthetic picture as float32 does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float
from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.openvino_engine import Engine
from services.depth.depth_anything_v2.preprocess import to_network

MAX_ERROR = 0.01  # of the float32 map's range, at the worst pixel: more than that and an arithmetic is not taken
WHOLE_MAX_ERROR = 0.005  # where the head is in bfloat16, too: photos were 1.6 times as far off as the trial (measured)


@dataclass(frozen=True)
class Faster:
    """An engine that may be taken.

    Args:
        open: opens it.
        max_error: the most it may be off, as a share of the float32 map's range; `MAX_ERROR` when None.
    """

    open: Callable[[], Engine]
    max_error: float | None = None


def settle(exact: Engine, faster: Sequence[Faster]) -> tuple[Engine, tuple[str, ...]]:
    """Return the first engine of `faster` that passes its trial, else `exact`, and what to say where none did.

    Args:
        exact: in float32.
        faster: the others, the fastest first; what one raises counts as failing.
    Raises:
        StageUnavailable: the float32 map itself is flat or not finite: the weights are damaged.
    """
    reference = exact.infer(probe())[0]
    if not np.isfinite(reference).all() or np.ptp(reference) == 0:
        raise StageUnavailable("the weights answer a flat map on a trial picture; their numbers are damaged")
    notes: tuple[str, ...] = ()
    for candidate in faster:
        limit = MAX_ERROR if candidate.max_error is None else candidate.max_error
        try:
            engine = candidate.open()
            error = error_share(engine.infer(probe())[0], reference)
        except Exception as problem:  # noqa: BLE001 - whatever a device cannot do, float32 can
            notes = (f"a faster arithmetic could not be tried ({type(problem).__name__}), so depth runs in float32",)
            continue
        if error <= limit:  # False for NaN
            return engine, ()
        notes = (
            f"{engine.dtype} would change a trial map by {error:.1%} of its range "
            f"(at most {limit:.1%} is allowed), so depth runs in float32, which is slower",
        )
        del engine  # its memory, before the next one is opened
    return exact, notes


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
