"""Whether a network may compute in bfloat16: half the time where the processor has it, if the mask stays the same.

Measured on an AMD EPYC with AVX512-BF16, ISNet: 0.78 s instead of 1.63; on 40 photos the mask moves by 2e-4 on average
and by 0.04 at most, mean IoU is 0.9023 instead of 0.9028: taken where it is asked for, not of our own accord. Both
precisions run one synthetic scene when the network is loaded for the first time; the choice is kept beside the weights,
for this file on this processor.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from services.common.arrays import RGB, Float
from services.common.backends.precision_cache import load_precision, store_precision
from services.segmentation.backends.onnx_engines import Dtype

MOST_DIFFERENCE = 1 / 255  # of the mask's own range: of every pixel, or of their mean
MOST_TIME = 0.8  # share of float32's time: processors that only imitate bfloat16 are slower with it
SCENE_PX = 256


@dataclass(frozen=True)
class PrecisionChoice:
    """What to compute in, and why; `warns` where bfloat16 was found wrong, not just useless."""

    dtype: Dtype
    why: str
    warns: bool = False


def choose_precision(
    exact: Float, half: Float, exact_s: float, half_s: float, *, by_mean: bool = False
) -> PrecisionChoice:
    """Return what a network should compute in.

    Args:
        exact: (H, W), its mask in float32.
        half: (H, W), its mask in bfloat16.
        exact_s: seconds of the processor for the first.
        half_s: for the second.
        by_mean: single pixels may move farther than `MOST_DIFFERENCE`, their mean may not.

    >>> mask = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    >>> choose_precision(mask, mask, exact_s=2.0, half_s=1.0).dtype
    'bfloat16'
    >>> choose_precision(mask, mask, exact_s=2.0, half_s=1.9).why
    'bfloat16 is not faster here: 1.90 s instead of 2.00'
    """
    span = max(float(exact.max() - exact.min()), float(np.finfo(np.float32).tiny))
    moved = np.abs(half - exact) / span
    difference, farthest = float(moved.mean()), float(moved.max())
    if not difference <= MOST_DIFFERENCE:  # also where it is not a number
        why = f"bfloat16 moves the mask by {difference:.4f} on average; {MOST_DIFFERENCE:.4f} is allowed"
        return PrecisionChoice("float32", why, warns=True)
    if half_s > MOST_TIME * exact_s:
        return PrecisionChoice("float32", f"bfloat16 is not faster here: {half_s:.2f} s instead of {exact_s:.2f}")
    if farthest > MOST_DIFFERENCE and not by_mean:
        gain = f"--precision bfloat16 would take that for {half_s / exact_s:.0%} of the time"
        return PrecisionChoice("float32", f"bfloat16 moves single pixels by up to {farthest:.3f}; {gain}")
    return PrecisionChoice(
        "bfloat16", f"{half_s:.2f} s instead of {exact_s:.2f}, the mask moves by {difference:.6f} on average"
    )


def load_choice(record: Path | None, situation: str) -> PrecisionChoice | None:
    """Return the choice that was made in the same situation, or None.

    Args:
        record: where it would be written down.
        situation: names weights, engine and processor.
    """
    known = None if record is None else load_precision(record, situation)
    if known is None or known.get("dtype") not in ("float32", "bfloat16") or not {"why", "warns"} <= known.keys():
        return None
    return PrecisionChoice(known["dtype"], str(known["why"]), bool(known["warns"]))


def store_choice(record: Path | None, situation: str, choice: PrecisionChoice) -> None:
    """Write the choice down; where the folder cannot be written to, the next start measures again."""
    if record is not None:
        store_precision(record, situation, asdict(choice))


def probe_scene() -> RGB:
    """Return a picture with one plain subject: a shaded ball before a graded, slightly noisy background."""
    y, x = np.mgrid[0:SCENE_PX, 0:SCENE_PX] / SCENE_PX
    background = np.dstack([0.55 + 0.25 * x, 0.6 + 0.1 * y, 0.7 - 0.2 * x])
    distance = np.hypot(x - 0.5, y - 0.52)
    ball = np.dstack([0.8 - 0.5 * distance, 0.3 + 0.3 * x, 0.15 + 0.2 * y])
    noise = np.random.default_rng(0).normal(0, 0.02, (SCENE_PX, SCENE_PX, 1))
    scene = np.where((distance < 0.28)[:, :, None], ball, background) + noise
    return np.asarray(np.clip(scene, 0, 1) * 255, dtype=np.uint8)
