"""The network run by torch on a GPU (or a CPU): batches of pictures in, raw maps out, any size.

On CUDA each shape that comes a second time is recorded as a CUDA graph: a picture is some five hundred short kernels,
which cost more to launch one by one than to run. `record` is all that knows CUDA; tests put a stub in its place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

import torch
from torch import Tensor

from services.common.arrays import Float
from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.openvino_engine import Dtype
from services.depth.depth_anything_v2.positions import PositionTables
from services.depth.depth_anything_v2.preprocess import PATCH_PX
from services.depth.depth_anything_v2.torch_network import TorchNetwork

Run: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Record: TypeAlias = Callable[[Run, Tensor, Tensor], Run]
"""(network, example pictures, example positions) → the same for this shape alone, faster."""

_TORCH = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SHAPES = 4  # recorded shapes kept; each holds the memory of all its intermediate results


class TorchEngine:
    """Depth-Anything-V2 on a device of torch.

    Args:
        weights: every tensor of the checkpoint by its official name, float32.
        config: the size the weights belong to.
        device: of torch, e.g. cuda or cuda:1.
        dtype: float16 everywhere; bfloat16 in the encoder only, as on the CPU (its mantissa is an eighth of float16's);
            or float32, where TF32 is switched off too.
        record: makes a shape faster; None takes CUDA graphs on CUDA, nothing elsewhere.
    """

    def __init__(
        self,
        weights: Mapping[str, Float],
        config: Config,
        device: str,
        dtype: Dtype = "float32",
        record: Record | None = None,
    ) -> None:
        self.device = device
        self.dtype: Dtype = dtype
        head = torch.float32 if dtype == "bfloat16" else _TORCH[dtype]
        self._network = TorchNetwork(weights, config, device, _TORCH[dtype], head)
        self._tables = PositionTables(weights["pretrained.pos_embed"])
        self._record = record or (record_cuda_graph if device.startswith("cuda") else None)
        self._recorded: OrderedDict[tuple[int, ...], Run] = OrderedDict()
        self._seen: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()

    def infer(self, pictures: Float) -> Float:
        """Return the raw maps (n, h, w) float32 of normalised pictures (n, 3, h, w) float32; see `to_network`.

        Raises:
            MemoryError: the device's memory ran out; what this engine could free is freed.
        """
        with self._lock, torch.inference_mode(), _exact_convolutions(self.dtype):
            try:
                return self._infer(pictures)
            except torch.OutOfMemoryError as error:
                words = str(error)
            self._recorded.clear()  # outside the handler: the error holds on to what the call had
            _give_back(self.device)
            raise MemoryError(words)

    def _infer(self, pictures: Float) -> Float:
        grid = pictures.shape[2] // PATCH_PX, pictures.shape[3] // PATCH_PX
        batch = torch.from_numpy(pictures).to(self.device)
        if self._record is not None:
            batch = _fill_up(batch)
        positions = torch.tensor(self._tables.of(grid)).to(self.device)
        answer: Float = self._choose(batch, positions)(batch, positions)[: len(pictures)].cpu().numpy()
        return answer

    def _choose(self, batch: Tensor, positions: Tensor) -> Run:
        """Return the recorded form of a shape that came before, else the network itself."""
        shape = tuple(batch.shape)
        if self._record is None or shape not in self._seen:
            self._seen.add(shape)
            return self._network
        if shape not in self._recorded:
            if len(self._recorded) >= _SHAPES:
                self._recorded.popitem(last=False)
            self._recorded[shape] = self._try_to_record(batch, positions)
        self._recorded.move_to_end(shape)
        return self._recorded[shape]

    def _try_to_record(self, batch: Tensor, positions: Tensor) -> Run:
        assert self._record is not None
        try:
            return self._record(self._network, batch, positions)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # something in it cannot be captured on this device: it runs as it is
            return self._network


def record_cuda_graph(network: Run, pictures: Tensor, positions: Tensor) -> Run:
    """Return `network` for one shape as a CUDA graph.

    Source: PyTorch, CUDA semantics, "CUDA Graphs": warm up on a side stream, capture, then copy in and replay.
    """
    given_pictures, given_positions = pictures.clone(), positions.clone()
    on_its_device = torch.cuda.device(pictures.device)  # streams are those of the current device
    with on_its_device:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            network(given_pictures, given_positions)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = network(given_pictures, given_positions)

    def replay(pictures: Tensor, positions: Tensor) -> Tensor:
        with on_its_device:
            given_pictures.copy_(pictures)
            given_positions.copy_(positions)
            graph.replay()
            return answer.clone()

    return replay


def _fill_up(batch: Tensor) -> Tensor:
    """Repeat the last picture up to 1, 2, 4, 8, … pictures, so that few shapes are recorded."""
    wanted = 1 << (len(batch) - 1).bit_length()
    return torch.cat([batch, batch[-1:].expand(wanted - len(batch), -1, -1, -1)])


def choose_device(wanted: str) -> str:
    """Return the device of torch that `wanted` (auto, cpu, cuda, cuda:1, mps) means; auto is the best there is.

    Raises:
        StageUnavailable: it is not here.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, here in found.items() if here)
    kind, _, number = wanted.partition(":")
    if not found[kind] or (number and int(number) >= torch.cuda.device_count()):
        here = ", ".join(name for name, is_here in found.items() if is_here)
        raise StageUnavailable(f"device {wanted} is not to be had; torch sees {here}")
    return wanted


def _exact_convolutions(dtype: Dtype) -> AbstractContextManager[object]:
    """CuDNN computes float32 convolutions in TF32, with ten bits of mantissa, unless told not to."""
    if dtype != "float32":
        return nullcontext()
    flags: AbstractContextManager[object] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return flags


def _give_back(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
