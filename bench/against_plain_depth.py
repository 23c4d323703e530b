"""Our depth engine beside the plain torch network: the same random weights, the same picture, 518 × 518.

Random weights of the official shapes cost what trained ones cost. How far a faster mode is from float32 depends on the
weights: the figure here says how the arithmetic behaves on these, the service checks it on the real ones at its start.
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Callable
from multiprocessing import get_context

import numpy as np

from bench.section import Section
from bench.timing import Spread, measure
from services.common.arrays import Float
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes
from services.depth.depth_anything_v2.engine import Dtype, OpenVinoEngine, has_bfloat16
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.trial import probe

SIDE_PX = 518


def compare_depth(sizes: tuple[str, ...], runs: int) -> Section:
    """Return latency, memory and agreement of each way to run each size; every one in a process of its own."""
    rows: list[tuple[str, ...]] = []
    ratios = {}
    for size in sizes:
        plain = _apart(_run_plain, size, runs)
        rows.append((f"{size}, plain torch, float32", plain.time.ms(), "1", f"{plain.peak_mb:.0f}", "0"))
        for dtype in ("float32", "bfloat16") if has_bfloat16() else ("float32",):
            ours = _apart(_run_ours, size, runs, dtype)
            faster = plain.time.median / ours.time.median
            error = float(np.abs(ours.answer - plain.answer).max() / np.ptp(plain.answer))
            rows.append(
                (
                    f"{size}, OpenVINO, {dtype}",
                    ours.time.ms(),
                    f"{faster:.1f}",
                    f"{ours.peak_mb:.0f}",
                    f"{error:.1e}",
                )
            )
            ratios[f"depth against plain torch: {size}, {dtype}"] = faster
    return Section(
        title="Depth-Anything-V2 against plain torch",
        method=f"{SIDE_PX} × {SIDE_PX} px, {os.cpu_count()} threads, random weights of the official shapes; "
        "each row in a process of its own, peak memory with everything imported. Error: the largest difference from "
        "plain torch, in ranges of the map. bfloat16 is the encoder only; the head stays in float32.",
        columns=("size, way", "ms", "times faster", "peak MB", "error"),
        rows=tuple(rows),
        ratios=ratios,
    )


class _Answer:
    """What one process measured."""

    def __init__(self, time: Spread, answer: Float) -> None:
        self.time = time
        self.answer = answer
        self.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(run: Callable[..., _Answer], *arguments: object) -> _Answer:
    """Call `run` in a fresh process, so that memory is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(run, arguments)


def _run_plain(size: str, runs: int) -> _Answer:
    import torch

    from bench.plain.depth_anything_v2 import PlainDepthAnything

    config = CONFIGS[size]
    network = PlainDepthAnything({k: torch.from_numpy(v) for k, v in _weights(config).items()}, config)
    picture = torch.from_numpy(_picture())
    time = measure(lambda: network(picture), runs)
    return _Answer(time, network(picture).numpy())


def _run_ours(size: str, runs: int, dtype: Dtype) -> _Answer:
    config = CONFIGS[size]
    engine = OpenVinoEngine(build_graphs(_weights(config), config), 0, dtype)
    picture = _picture()
    time = measure(lambda: engine.infer(picture), runs)
    return _Answer(time, engine.infer(picture)[0])


def _picture() -> Float:
    """Return the start-up trial's picture, tiled to the size of the benchmark."""
    tiled = np.tile(probe(), (1, 1, 2, 2))
    return np.ascontiguousarray(tiled[:, :, :SIDE_PX, :SIDE_PX])


def _weights(config: Config) -> dict[str, Float]:
    """Return random weights whose map is alive: scaled by fan-in, norms round 1, a bias that lifts the last layer."""
    rng = np.random.default_rng(0)
    weights: dict[str, Float] = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("gamma") or (".norm" in name and name.endswith("weight")):
            values = 1 + np.float32(0.1) * values
        elif len(shape) > 1 and not name.endswith(("token", "embed")):
            values /= np.float32(math.sqrt(math.prod(shape[1:])))
        weights[name] = values * np.float32(0.1 if name.endswith("bias") else 1.0)
    weights["depth_head.scratch.output_conv2.2.bias"] += 1
    return weights
