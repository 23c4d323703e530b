"""What TripoSR computes in, where nobody said: bfloat16 where the device has it and the surface stays where it was.

Loaded for the first time, the network runs one synthetic picture in both. The error of bfloat16 is that of the
scene code, and the share of random points that change to the other side of the surface; where either is too large,
float32 stays. The choice is kept beside the weights for this file, device and version of torch.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from services.common.arrays import RGBA
from services.common.backends.precision_cache import load_precision, store_precision
from services.mesher.triposr.model import Precision, TripoSR
from services.mesher.triposr.picture import compose_on_grey, to_network

MOST_CODE = 0.02  # relative error of the scene code
MOST_SIDES = 0.003  # of the cube's points; a body of TripoSR's size whose surface moved by a voxel of 256³ has 0.006
POINTS = 50_000
OFFICIAL_THRESHOLD = 25.0
RECORD = ".precision.json"


@dataclass(frozen=True)
class PrecisionChoice:
    """What to compute in, and why in words for log and receipt."""

    dtype: Precision
    why: str


def choose_precision(folder: Path, device: str, digest: str) -> PrecisionChoice:
    """Return what the network of a folder should compute in on a device.

    Args:
        folder: of the weights.
        device: of torch.
        digest: of the weights.
    Raises:
        StageUnavailable: the weights cannot be loaded, or their numbers are not finite.
    """
    if not has_bfloat16(device):
        return PrecisionChoice("float32", f"this {device} has no bfloat16 of its own")
    situation = "|".join((digest, torch.__version__, _processor(device)))
    known = load_precision(folder / RECORD, situation)
    if known is not None and known.get("dtype") in ("float32", "bfloat16") and "why" in known:
        return PrecisionChoice(known["dtype"], str(known["why"]))
    code, sides = measure(folder, device)
    choice = judge(code, sides)
    store_precision(folder / RECORD, situation, asdict(choice))
    return choice


def has_bfloat16(device: str) -> bool:
    """Return whether the device multiplies matrices of bfloat16 itself, rather than imitating it."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    asked = (
        "_is_avx512_bf16_supported",
        "_is_amx_tile_supported",
    )  # private, and younger than the oldest torch we take
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)


def judge(code: float, sides: float) -> PrecisionChoice:
    """Return what to compute in, by bfloat16's error of the scene code and the share of points that change side."""
    found = f"changes the scene code by {code:.2%} and moves {sides:.2%} of all points to the other side"
    if code <= MOST_CODE and sides <= MOST_SIDES:  # False for what is not a number
        return PrecisionChoice("bfloat16", f"bfloat16 {found} of the surface")
    return PrecisionChoice("float32", f"bfloat16 {found}; {MOST_CODE:.2%} and {MOST_SIDES:.2%} are allowed")


def measure(folder: Path, device: str) -> tuple[float, float]:
    """Return the error of bfloat16 against float32, one network in memory at a time."""
    exact_code, exact_inside = _answer(folder, device, "float32")
    code, inside = _answer(folder, device, "bfloat16")
    error = float(np.linalg.norm(code - exact_code) / max(float(np.linalg.norm(exact_code)), 1e-30))
    return error, float(np.mean(inside != exact_inside))


def probe(side_px: int) -> RGBA:
    """Return a made-up cutout: a lit ball on a block."""
    y, x = (np.mgrid[:side_px, :side_px] + 0.5) / (0.4 * side_px) - 1.25
    height = np.sqrt(np.clip(0.6 - x**2 - (y + 0.3) ** 2, 0, 1))
    block = (np.abs(x) < 0.9) & (y > 0.3) & (y < 1.0)
    light = np.where(height > 0, 0.3 + 0.7 * height - 0.2 * y, 0.5 + 0.2 * x)
    rgba = np.zeros((side_px, side_px, 4), dtype=np.uint8)
    rgba[..., :3] = (255 * np.clip(light, 0, 1))[..., None] * np.where(block, 0.6, 1.0)[..., None] * (1.0, 0.7, 0.4)
    rgba[..., 3] = np.where((height > 0) | block, 255, 0)
    return rgba


def _answer(folder: Path, device: str, dtype: Precision) -> tuple[np.ndarray, np.ndarray]:
    """Return the scene code, and which of fixed random points lie inside."""
    network = TripoSR.from_checkpoint(folder, device, dtype)
    image = to_network(compose_on_grey(probe(network.config.image_px)), network.config.image_px)
    field = network.reconstruct(image)
    points = np.random.default_rng(0).uniform(-field.radius, field.radius, (POINTS, 3))
    level = math.log(OFFICIAL_THRESHOLD) - network.config.density_bias
    return field.scene_code, field.density(points) > level


def _processor(device: str) -> str:
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return str(torch.backends.cpu.get_cpu_capability())
