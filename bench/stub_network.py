"""An ONNX file in the shape of a saliency network that always answers one stored mask.

With it, everything around the network can be timed and compared: ours and rembg's get the same mask, at no cost.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.common.arrays import Alpha


def write_stub_network(path: Path, mask: Alpha, side_px: int = 1024, layers: int = 0) -> None:
    """Write a network (1, 3, side, side) → (1, 1, side, side) that answers `mask`, whatever it is shown.

    Args:
        path: the file to write.
        mask: (H, W) in [0, 1]; scaled to the square.
        side_px: of the square: 1024 like ISNet, 320 like U²-Net.
        layers: 3 × 3 convolutions of 32 channels with random weights that run beside it, so that the network costs
            something; 12 at 320 px are the 12 billion multiplications of U²-Net-P.
    """
    square = cv2.resize(mask, (side_px, side_px), interpolation=cv2.INTER_AREA)
    stored = numpy_helper.from_array(np.asarray(square, np.float32)[None, None], "mask")
    first = numpy_helper.from_array(np.zeros(4, np.int64), "first")
    last = numpy_helper.from_array(np.ones(4, np.int64), "last")
    faint = numpy_helper.from_array(np.full((), 1e-12, np.float32), "faint")
    nodes, weights, top = convolutions(layers)
    nodes += [  # the answer depends on one value of what came before, so that no engine can leave that out
        helper.make_node("Slice", [top, "first", "last"], ["one"]),
        helper.make_node("Mul", ["one", "faint"], ["almost nothing"]),
        helper.make_node("Add", ["mask", "almost nothing"], ["output"]),
    ]
    photo = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side_px, side_px])
    answer = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, side_px, side_px])
    graph = helper.make_graph(nodes, "stub", [photo], [answer], [stored, faint, first, last, *weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def convolutions(layers: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]:
    """Return nodes and weights of so many layers, and the name of the last one's answer."""
    rng = np.random.default_rng(0)
    nodes, weights, top, channels = [], [], "input", 3
    for layer in range(layers):
        kernel = rng.normal(0, (2 / (9 * channels)) ** 0.5, (32, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"kernel {layer}"))
        nodes.append(helper.make_node("Conv", [top, f"kernel {layer}"], [f"sum {layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"sum {layer}"], [f"layer {layer}"]))
        top, channels = f"layer {layer}", 32
    return nodes, weights, top
