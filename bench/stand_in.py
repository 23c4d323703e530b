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


def write_stand_in(path: Path, mask: Alpha, side_px: int = 1024) -> None:
    """Write a network (1, 3, side, side) → (1, 1, side, side) that answers `mask`, whatever it is shown.

    Args:
        path: the file to write.
        mask: (H, W) in [0, 1]; scaled to the square.
        side_px: of the square: 1024 like ISNet, 320 like U²-Net.
    """
    square = cv2.resize(mask, (side_px, side_px), interpolation=cv2.INTER_AREA)
    stored = numpy_helper.from_array(np.asarray(square, np.float32)[None, None], "mask")
    nothing = numpy_helper.from_array(np.zeros((), np.float32), "nothing")
    first = numpy_helper.from_array(np.zeros(4, np.int64), "first")
    last = numpy_helper.from_array(np.ones(4, np.int64), "last")
    nodes = [  # the answer depends on one value of the input, so that no engine can leave the input out
        helper.make_node("Slice", ["input", "first", "last"], ["one"]),
        helper.make_node("Mul", ["one", "nothing"], ["zero"]),
        helper.make_node("Add", ["mask", "zero"], ["output"]),
    ]
    photo = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side_px, side_px])
    answer = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, side_px, side_px])
    graph = helper.make_graph(nodes, "stand_in", [photo], [answer], [stored, nothing, first, last])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
