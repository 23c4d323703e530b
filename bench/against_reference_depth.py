"""Our depth engines beside the reference network: the same random weights, the same picture, 518 × 518.

Random weights of the official shapes cost what trained ones cost. How far a faster mode is from float32 depends on the
weights: the figures here say how the arithmetic behaves on these, the service checks it on the real ones at its start.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from bench.memory import apart, peak_mb
from bench.section import Section
from bench.timing import Spread, measure
from services.common.arrays import Float
from services.common.backends.gpu_memory import find_gpus
from services.common.backends.openvino_cpu import bfloat16_processor
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import Dtype, Engine, OpenVinoEngine
from services.depth.depth_anything_v2.preprocess import PATCH_PX
from services.depth.depth_anything_v2.trial import MAX_ERROR, WHOLE_MAX_ERROR, error_share, probe

SIDE_PX = 518
_MATRIX = 4096  # rows and columns of the product that shows what a CPU can do
_MOST_RUNS = {"vits": 99, "vitb": 5, "vitl": 3}  # the reference vitl takes ten seconds a run on two cores


@dataclass(frozen=True)
class Variant:
    """One variant of running the network.

    Args:
        engine: reference (torch as the authors run it), torch (ours) or OpenVINO.
        device: of torch; cpu for OpenVINO.
        dtype: of the encoder.
        head: the arithmetic of the head, where it can be chosen.
    """

    engine: str
    device: str
    dtype: Dtype
    head: Dtype = "float32"

    @property
    def name(self) -> str:
        """As it stands in the table."""
        engine = "reference" if self.engine == "reference" else self.engine
        part = ", encoder only" if self.engine == "OpenVINO" and self.dtype != self.head else ""
        return f"{engine}, {self.device}, {self.dtype}{part}"


def variants(bfloat16: bool, cuda: bool) -> list[Variant]:
    """Return every variant that a machine has: the reference first, then the float32 that trials are held against."""
    found = [Variant("reference", "cpu", "float32"), Variant("OpenVINO", "cpu", "float32")]
    if bfloat16:
        found += [Variant("OpenVINO", "cpu", "bfloat16"), Variant("OpenVINO", "cpu", "bfloat16", "bfloat16")]
    found.append(Variant("torch", "cpu", "float32"))
    if bfloat16:
        found.append(Variant("torch", "cpu", "bfloat16"))
    if cuda:
        found.append(Variant("reference", "cuda", "float32"))
        found += [
            Variant("torch", "cuda", "float32"),
            Variant("torch", "cuda", "bfloat16"),
            Variant("torch", "cuda", "float16"),
        ]
    return found


def compare_depth(sizes: tuple[str, ...], runs: int) -> Section:
    """Return latency, memory and agreement of each variant at each size; every one in a process of its own."""
    rows: list[tuple[str, ...]] = []
    ratios = {}
    for size in sizes:
        reference: _Answer | None = None
        exact: _Answer | None = None
        for variant in variants(bool(bfloat16_processor()), bool(find_gpus()) and find_spec("torch") is not None):
            answer = apart(run_variant, variant, size, min(runs, _MOST_RUNS[size]))
            reference = reference or answer
            exact = answer if exact is None and variant.engine != "reference" else exact
            faster = reference.time.median / answer.time.median
            error = f"{error_share(answer.map, reference.map):.1e}" if answer is not reference else "0"
            cells = (answer.time.ms(), f"{faster:.1f}", f"{answer.peak_mb:.0f}", error, _trial(variant, answer, exact))
            rows.append((f"{size}, {variant.name}", *cells))
            if variant.engine == "OpenVINO":
                ratios[f"depth against the reference: {size}, {variant.name.removeprefix('OpenVINO, cpu, ')}"] = faster
    return Section(
        title="Depth-Anything-V2 against its reference implementation",
        method=f"{SIDE_PX} × {SIDE_PX} px, {os.cpu_count()} threads, random weights of the official shapes; each row "
        "in a process of its own, peak memory with everything imported (of the GPU for cuda). Error: the largest "
        "difference from the reference, in ranges of the map. Trial: the same of the start-up's picture, at most "
        f"{MAX_ERROR:.0%} ({WHOLE_MAX_ERROR:.1%} with the head in bfloat16), or the service does not take that "
        "variant.",
        columns=("size, engine, device, dtype", "ms", "times faster", "peak MB", "error", "trial"),
        rows=tuple(rows),
        ratios=ratios,
        notes=(_ceiling(sizes, apart(_product_rates)),),
    )


def _ceiling(sizes: tuple[str, ...], rates: dict[str, float]) -> str:
    """Return how fast the network could be at best on this CPU, by its measured rate of multiplication."""
    least = "; ".join(
        f"{size} {work / 1e9:.0f} GFLOP, "
        + ", ".join(f"{work / rate * 1e3:.0f} ms in {dtype}" for dtype, rate in rates.items())
        for size, work in ((size, count_flop(CONFIGS[size], SIDE_PX // PATCH_PX)) for size in sizes)
    )
    measured = " and ".join(f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in rates.items())
    return f"One large product of matrices runs here at {measured}: at that rate nothing can be faster than {least}."


def _product_rates() -> dict[str, float]:
    """Return floating-point operations a second of one large product, by format."""
    import torch

    rates = {}
    for name in ("float32", "bfloat16") if bfloat16_processor() else ("float32",):
        a = torch.ones(_MATRIX, _MATRIX, dtype=getattr(torch, name))
        rates[name] = 2 * _MATRIX**3 / measure(lambda a=a: a @ a, 5).low  # type: ignore[misc]
    return rates


def count_flop(config: Config, side: int) -> float:
    """Return operations of one picture of side × side patches, two for a multiplication and an addition."""
    n, c, f, neck = side * side, config.width, config.features, config.neck
    tokens = n + 1
    encoder = config.depth * (24 * tokens * c * c + 4 * tokens * tokens * c) + 2 * n * c * 3 * PATCH_PX**2
    pixels = (16 * n, 4 * n, n, n / 4)  # of the four maps
    work = sum(2 * n * c * d for d in neck) + 2 * n * (16 * neck[0] ** 2 + 4 * neck[1] ** 2) + 18 * n / 4 * neck[3] ** 2
    work += sum(18 * d * f * p for d, p in zip(neck, pixels, strict=True))
    work += sum((4 if p > n / 4 else 2) * 18 * f * f * p + 2 * f * f * p for p in pixels)  # units, out_conv
    work += 18 * f * f / 2 * 64 * n + (18 * f / 2 * 32 + 2 * 32) * PATCH_PX**2 * n
    return float(encoder + work)


@dataclass(frozen=True)
class _Answer:
    """What one process measured."""

    time: Spread
    map: Float
    trial: Float | None
    peak_mb: float


def _trial(variant: Variant, answer: _Answer, exact: _Answer | None) -> str:
    """Return whether the service would take this variant on these weights."""
    if variant.dtype == "float32" or answer.trial is None or exact is None or exact.trial is None:
        return ""
    error = error_share(answer.trial, exact.trial)
    limit = WHOLE_MAX_ERROR if variant.engine == "OpenVINO" and variant.head == "bfloat16" else MAX_ERROR
    return f"{error:.2%}, {'taken' if error <= limit else 'refused'}"


def run_variant(variant: Variant, size: str, runs: int) -> _Answer:
    """Measure one variant in this process."""
    config, weights = CONFIGS[size], random_weights(CONFIGS[size])
    infer: Callable[[Float], Float] = (
        _reference(weights, config, variant.device)
        if variant.engine == "reference"
        else _open(weights, config, variant).infer
    )
    del weights  # an engine holds its own; a service lets go of them, too
    answers: list[Float] = []

    def once() -> None:
        answers[:] = [infer(picture())]

    time = measure(once, runs, warm_up=1 if variant.device == "cpu" else 3)  # a shape is recorded at its second run
    trial = infer(probe())[0] if variant.engine != "reference" else None  # the reference is written for squares
    return _Answer(time, answers[0][0], trial, peak_mb(variant.device))


def _reference(weights: dict[str, Float], config: Config, device: str) -> Callable[[Float], Float]:
    import torch

    from bench.reference.reference_depth_anything import ReferenceDepthAnything

    network = ReferenceDepthAnything({k: torch.from_numpy(v).to(device) for k, v in weights.items()}, config)

    def infer(pictures: Float) -> Float:
        answer: Float = network(torch.from_numpy(pictures).to(device))[None].cpu().numpy()
        return answer

    return infer


def _open(weights: dict[str, Float], config: Config, variant: Variant) -> Engine:
    if variant.engine == "OpenVINO":
        return OpenVinoEngine(build_graphs(weights, config), 0, variant.dtype, variant.head)
    from services.depth.depth_anything_v2.torch_engine import TorchEngine

    return TorchEngine(weights, config, variant.device, variant.dtype)


def picture(count: int = 1, side_px: int = SIDE_PX) -> Float:
    """Return the start-up trial's picture, tiled to the size of the benchmark: (count, 3, side_px, side_px)."""
    tiled = np.tile(probe(), (count, 1, 2, 2))
    return np.ascontiguousarray(tiled[:, :, :side_px, :side_px])


def random_weights(config: Config) -> dict[str, Float]:
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
