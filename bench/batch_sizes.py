"""What batching gains here: time a picture, when 1, 2, 4 or 8 go through a network at once.

A batch pays where a device idles with one picture. The answer decides whether a stage collects concurrent requests: the
depth stage does on a GPU, and elsewhere when told to (`--batch`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper

from bench.against_reference_depth import picture, random_weights
from bench.section import Section
from bench.stub_network import convolutions
from bench.timing import measure
from services.common.arrays import Float
from services.common.backends.openvino_cpu import bfloat16_processor
from services.depth.depth_anything_v2.config import CONFIGS
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import OpenVinoEngine

BATCHES = (1, 2, 4, 8)
SIDE_PX, LAYERS = 320, 12
_DEPTH_RUNS = 3  # eight pictures of 518² take three seconds on two cores
Run: TypeAlias = Callable[[Float], object]


def measure_batching(runs: int) -> Section:
    """Return the time a picture by batch size, for both engines and for the depth network."""
    rows: list[tuple[str, ...]] = []
    ratios: dict[str, float] = {}

    def add(name: str, run: Run, pictures: Float, runs: int) -> None:
        times = [measure(lambda n=n: run(pictures[:n]), runs).median / n for n in BATCHES]  # type: ignore[misc]
        gain = times[0] / min(times)
        rows.append((name, *(f"{seconds * 1e3:.0f}" for seconds in times), f"{gain:.2f}"))
        ratios[f"batching on this device: {name}"] = gain

    pictures = np.random.default_rng(0).standard_normal((max(BATCHES), 3, SIDE_PX, SIDE_PX), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        _write_network(path)
        add("OpenVINO", _openvino(path), pictures, runs)
        add("ONNX Runtime", _onnxruntime(path), pictures, runs)
    add("Depth-Anything-V2 vits, OpenVINO", _depth(), picture(max(BATCHES)), min(runs, _DEPTH_RUNS))
    return Section(
        title="Batching",
        method=f"A network of U²-Net-P's cost ({SIDE_PX}², {LAYERS} layers, random weights) with a free batch axis, "
        "and the depth network at 518² as its service runs it: milliseconds a picture.",
        columns=("engine", *(f"batch of {n}" for n in BATCHES), "most gained, times"),
        rows=tuple(rows),
        ratios=ratios,
        notes=("rembg's ISNet file fixes its batch axis to 1: it cannot be batched at all.",),
    )


def _write_network(path: Path) -> None:
    nodes, weights, top = convolutions(LAYERS)
    photo = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE_PX, SIDE_PX])
    answer = helper.make_tensor_value_info(top, TensorProto.FLOAT, ["N", 32, SIDE_PX, SIDE_PX])
    graph = helper.make_graph(nodes, "convolutions", [photo], [answer], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _openvino(path: Path) -> Run:
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(path, "CPU", hints).create_infer_request()
    return lambda pictures: request.infer([pictures])


def _depth() -> Run:
    config = CONFIGS["vits"]
    dtype = "bfloat16" if bfloat16_processor() else "float32"
    return OpenVinoEngine(build_graphs(random_weights(config), config), 0, dtype).infer  # type: ignore[arg-type]


def _onnxruntime(path: Path) -> Run:
    import onnxruntime

    providers = [p for p in ("CUDAExecutionProvider",) if p in onnxruntime.get_available_providers()]
    session = onnxruntime.InferenceSession(str(path), providers=[*providers, "CPUExecutionProvider"])
    return lambda pictures: session.run(None, {"input": pictures})
