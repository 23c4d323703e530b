"""Which engine runs Depth-Anything-V2 on this machine, and in which arithmetic.

    engine   auto: torch where there is a GPU for it, else OpenVINO, else torch on the CPU; openvino; torch
    device   auto, cpu, cuda, cuda:1, …, mps
    dtype    auto: the fastest that passes its trial; float32; bfloat16; float16 (torch)

What auto cannot use it leaves, and says so; what was named and is not here is an error.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from services.common.arrays import Float
from services.common.backends.gpu_memory import find_gpus
from services.common.backends.openvino_cpu import bfloat16_processor
from services.common.errors import InvalidOption, StageUnavailable
from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import Dtype, Engine, OpenVinoEngine
from services.depth.depth_anything_v2.trial import WHOLE_MAX_ERROR, Faster, settle

ENGINES = ("auto", "openvino", "torch")
DTYPES = ("auto", "float32", "bfloat16", "float16")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_INSTALL = "install OpenVINO with `pip install 'unflat[depth]'`"

Weights = Mapping[str, Float]


@dataclass(frozen=True)
class EngineOptions:
    """What was asked for; see the head of this module.

    Args:
        threads: of one run on the CPU; 0 leaves the choice to the engine.
    """

    engine: str = "auto"
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (("engine", self.engine, ENGINES), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise InvalidOption(f"{name} is {value!r}; wanted {', '.join(known)}", field="backend")
        if not _DEVICE.fullmatch(self.device):
            raise InvalidOption(f"device is {self.device!r}; wanted auto, cpu, cuda, cuda:1, … or mps", field="backend")
        if self.engine == "openvino" and (self.device not in ("auto", "cpu") or self.dtype == "float16"):
            raise InvalidOption("engine=openvino runs on the CPU, in float32 or bfloat16", field="backend")


def open_engine(weights: Weights, config: Config, options: EngineOptions) -> tuple[Engine, tuple[str, ...]]:
    """Return an engine that passed its trial, and what a receipt should say of the choice.

    Args:
        weights: every tensor of the checkpoint by its official name, float32.
        config: the size the weights belong to.
        options: what was asked for.
    Raises:
        StageUnavailable: a library or device that was named is missing, or the weights are damaged.
    """
    if _is_torch_named(options):
        return _open_torch(weights, config, options)
    notes: tuple[str, ...] = ()
    if options.engine == "auto" and options.device == "auto" and _is_gpu_here():
        try:
            return _open_torch(weights, config, options)
        except Exception as problem:  # noqa: BLE001 - a sick driver raises anything
            why = problem.message if isinstance(problem, StageUnavailable) else f"{type(problem).__name__}: {problem}"
            notes = (f"the GPU could not be used ({why[:200]}), so depth runs on the CPU",)
    if importlib.util.find_spec("openvino") is None and importlib.util.find_spec("torch") is not None:
        return _open_torch(weights, config, options, device="cpu")
    engine, more = _open_openvino(weights, config, options)
    return engine, notes + more


def _is_torch_named(options: EngineOptions) -> bool:
    return options.engine == "torch" or options.device not in ("auto", "cpu") or options.dtype == "float16"


def _is_gpu_here() -> bool:
    """Tell without importing torch, which takes seconds and 200 MB, whether it may find a GPU."""
    return importlib.util.find_spec("torch") is not None and (bool(find_gpus()) or sys.platform == "darwin")


def _open_openvino(weights: Weights, config: Config, options: EngineOptions) -> tuple[Engine, tuple[str, ...]]:
    try:
        import openvino as _openvino  # noqa: F401
    except ImportError:
        raise StageUnavailable(f"Depth-Anything-V2 has nothing to run on; {_INSTALL}") from None
    graphs = build_graphs(weights, config)
    whole = Faster(partial(OpenVinoEngine, graphs, options.threads, "bfloat16", "bfloat16"), WHOLE_MAX_ERROR)
    encoder_only = Faster(partial(OpenVinoEngine, graphs, options.threads, "bfloat16"))
    wanted = options.dtype == "bfloat16" or (options.dtype == "auto" and bfloat16_processor() != "")
    return settle(OpenVinoEngine(graphs, options.threads), (whole, encoder_only) if wanted else ())


def _open_torch(
    weights: Weights, config: Config, options: EngineOptions, device: str = ""
) -> tuple[Engine, tuple[str, ...]]:
    try:
        import torch
    except ImportError:
        raise StageUnavailable(
            "Depth-Anything-V2 was asked to run on torch, which is not here; `pip install torch`"
        ) from None
    from services.depth.depth_anything_v2.torch_engine import TorchEngine, choose_device

    chosen = choose_device(device or options.device)
    if options.threads and chosen == "cpu":
        torch.set_num_threads(options.threads)
    # On a GPU float16 first: as fast as bfloat16 and an eighth of its error, where it does not overflow.
    faster: dict[str, tuple[Dtype, ...]] = {
        "auto": ("float16", "bfloat16") if chosen != "cpu" else (),
        "float32": (),
        "bfloat16": ("bfloat16",),
        "float16": ("float16",),
    }
    candidates = [Faster(partial(TorchEngine, weights, config, chosen, dtype)) for dtype in faster[options.dtype]]
    return settle(TorchEngine(weights, config, chosen), candidates)
