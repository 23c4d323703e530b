"""Depth-Anything-V2 as two OpenVINO graphs, straight from the weights: no torch, no conversion, any input size.

    encoder   picture (n, 3, h, w) ─ patches ─ DINOv2 blocks ─ 4 × tokens (n, 1 + rows·columns, c)
                                       ▲
              positions (1, 1 + rows·columns, c): resized outside for each size, so the graph is frozen to none

    head      4 × tokens, grid (rows, columns) ─ reassemble ─ fuse ─ two convolutions ─ map (n, 1, h, w)

They are apart so that the encoder alone may run in bfloat16. Names of functions and weights are those of the
checkpoint; (h, w) = 14 · (rows, columns).

Source: Yang et al., Depth Anything V2, 2024 (official code, commit a561b84); Oquab et al., DINOv2, 2023; Ranftl et al.,
Vision Transformers for Dense Prediction, 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float
from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.preprocess import PATCH_PX

Node = Any  # an openvino.Node; the library carries no types
_EPS = 1e-6  # of every LayerNorm in DINOv2


@dataclass(frozen=True)
class Graphs:
    """The network, not yet compiled.

    Args:
        encoder: openvino.Model from `picture` and `positions` to `tokens0` … `tokens3`.
        head: openvino.Model from these and `grid` to the map.
        table: the checkpoint's position table, (1, 1 + 37·37, c) float32.
    """

    encoder: Any
    head: Any
    table: Float


def build_graphs(weights: Mapping[str, Float], config: Config) -> Graphs:
    """Return encoder and head with inputs of free size.

    Args:
        weights: every tensor of the checkpoint by its official name, float32.
        config: the size the weights belong to.
    """
    network = _Network(weights, config)
    return Graphs(network.encoder(), network.head(), weights["pretrained.pos_embed"].copy())


class _Network:
    """The layers, from the picture to the map."""

    def __init__(self, weights: Mapping[str, Float], config: Config) -> None:
        import openvino.opset15 as ops

        self.ops = ops
        self.weights = weights
        self.config = config

    # ---- encoder: DINOv2 ----

    def encoder(self) -> Any:
        """Picture → the tokens after each tapped block, class token first, all through the one final norm."""
        import openvino as ov

        ops, c = self.ops, self.config.width
        picture = self.parameter("picture", -1, 3, -1, -1)
        positions = self.parameter("positions", 1, -1, c)
        x = self.conv(picture, "pretrained.patch_embed.proj", stride=PATCH_PX)  # (n, c, rows, columns)
        x = ops.transpose(self.reshape(x, 0, c, -1), [0, 2, 1])  # (n, rows·columns, c)
        count = ops.gather(ops.shape_of(picture), _ints(0), _ints(0))
        first = ops.broadcast(self.weight("pretrained.cls_token"), ops.concat([count, _ints(1, c)], 0))
        x = ops.concat([first, x], 1)
        x = ops.add(x, positions)  # (n, 1 + rows·columns, c)
        taps = []
        for i in range(self.config.depth):
            x = self.block(x, f"pretrained.blocks.{i}")
            if i in self.config.taps:
                taps.append(ops.result(self.norm(x, "pretrained.norm")))
        return ov.Model(taps, [picture, positions], "encoder")

    def block(self, x: Node, name: str) -> Node:
        """A transformer block with layer scale."""
        ops = self.ops
        y = self.attention(self.norm(x, f"{name}.norm1"), f"{name}.attn")
        x = ops.add(x, ops.multiply(y, self.weight(f"{name}.ls1.gamma")))
        y = self.linear(self.norm(x, f"{name}.norm2"), f"{name}.mlp.fc1")
        y = self.linear(ops.gelu(y, "erf"), f"{name}.mlp.fc2")
        return ops.add(x, ops.multiply(y, self.weight(f"{name}.ls2.gamma")))

    def attention(self, x: Node, name: str) -> Node:
        """(n, t, c) → the same: softmax(q·k / √d)·v in each head."""
        ops, c, heads = self.ops, self.config.width, self.config.heads
        qkv = self.reshape(self.linear(x, f"{name}.qkv"), 0, -1, 3, heads, c // heads)
        qkv = ops.transpose(qkv, [2, 0, 3, 1, 4])  # (3, n, heads, t, d)
        q, k, v = (ops.squeeze(part, [0]) for part in ops.split(qkv, 0, 3).outputs())
        y = ops.scaled_dot_product_attention(q, k, v)  # (n, heads, t, d)
        y = self.reshape(ops.transpose(y, [0, 2, 1, 3]), 0, -1, c)
        return self.linear(y, f"{name}.proj")

    # ---- head: DPT ----

    def head(self) -> Any:
        """Tokens → the map at the picture's size, never below 0."""
        import openvino as ov

        ops, name = self.ops, "depth_head.scratch.output_conv"
        tokens = [self.parameter(f"tokens{i}", -1, -1, self.config.width) for i in range(4)]
        grid = self.parameter("grid", 2, dtype=np.int64)
        x = self.fuse([self.reassemble(tokens[i], grid, i) for i in range(4)])  # (n, f, 8·rows, 8·columns)
        x = self.conv(x, f"{name}1", pad=1)  # (n, f / 2, 8·rows, 8·columns)
        x = self.resize(x, ops.multiply(grid, _ints(PATCH_PX, PATCH_PX)))  # (n, f / 2, h, w)
        x = ops.relu(self.conv(x, f"{name}2.0", pad=1))  # (n, 32, h, w)
        x = ops.relu(self.conv(x, f"{name}2.2"))  # (n, 1, h, w)
        return ov.Model([ops.result(x)], [*tokens, grid], "head")

    def reassemble(self, tokens: Node, grid: Node, i: int) -> Node:
        """Tokens of tap i → (n, f, s·rows, s·columns), s = 4, 2, 1, 1/2 from the first tap to the last."""
        ops, name = self.ops, "depth_head.resize_layers"
        x = ops.slice(tokens, [1], [np.iinfo(np.int64).max], [1], [1])  # the class token is dropped
        x = ops.reshape(ops.transpose(x, [0, 2, 1]), ops.concat([_ints(0, self.config.width), grid], 0), True)
        x = self.conv(x, f"depth_head.projects.{i}")
        if i == 0:
            x = self.conv_transposed(x, f"{name}.0", stride=4)
        elif i == 1:
            x = self.conv_transposed(x, f"{name}.1", stride=2)
        elif i == 3:
            x = self.conv(x, f"{name}.3", stride=2, pad=1)
        return self.conv(x, f"depth_head.scratch.layer{i + 1}_rn", pad=1)

    def fuse(self, maps: list[Node]) -> Node:
        """From the coarsest map to the finest; each step goes up to the size of the next."""
        path = None
        for level in (4, 3, 2, 1):
            name = f"depth_head.scratch.refinenet{level}"
            x = maps[level - 1]
            if path is not None:
                x = self.ops.add(path, self.residual_unit(x, f"{name}.resConfUnit1"))
            x = self.residual_unit(x, f"{name}.resConfUnit2")
            finer = self.size_of(maps[level - 2]) if level > 1 else self.ops.multiply(self.size_of(x), _ints(2, 2))
            # out_conv is 1x1 and comes after the resize in the paper; the two commute, and before it costs a quarter.
            path = self.resize(self.conv(x, f"{name}.out_conv"), finer)
        return path

    def residual_unit(self, x: Node, name: str) -> Node:
        """X + conv2(relu(conv1(relu(x))))."""
        y = self.conv(self.ops.relu(x), f"{name}.conv1", pad=1)
        return self.ops.add(x, self.conv(self.ops.relu(y), f"{name}.conv2", pad=1))

    # ---- layers ----

    def parameter(self, name: str, *shape: int, dtype: npt.DTypeLike = np.float32) -> Node:
        """An input; −1 is a free size."""
        import openvino as ov

        node = self.ops.parameter(ov.PartialShape(list(shape)), dtype)
        node.output(0).tensor.set_names({name})
        return node

    def linear(self, x: Node, name: str) -> Node:
        """(…, in) → (…, out)."""
        y = self.ops.matmul(x, self.weight(f"{name}.weight"), False, True)
        return self.ops.add(y, self.weight(f"{name}.bias"))

    def norm(self, x: Node, name: str) -> Node:
        """LayerNorm over the last axis."""
        y = self.ops.mvn(x, [-1], True, _EPS, "inside_sqrt")
        return self.ops.add(self.ops.multiply(y, self.weight(f"{name}.weight")), self.weight(f"{name}.bias"))

    def conv(self, x: Node, name: str, stride: int = 1, pad: int = 0) -> Node:
        """A convolution, with bias where the checkpoint has one."""
        y = self.ops.convolution(x, self.weight(f"{name}.weight"), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
        return self.add_bias(y, name)

    def conv_transposed(self, x: Node, name: str, stride: int) -> Node:
        """A transposed convolution whose kernel is as wide as its stride."""
        y = self.ops.convolution_backprop_data(x, self.weight(f"{name}.weight"), [stride] * 2)
        return self.add_bias(y, name)

    def add_bias(self, x: Node, name: str) -> Node:
        if f"{name}.bias" not in self.weights:
            return x
        return self.ops.add(x, self.weight(f"{name}.bias", 1, -1, 1, 1))

    def weight(self, name: str, *shape: int) -> Node:
        """A tensor of the checkpoint as a constant (given as an array, OpenVINO would turn it into a list first)."""
        values = self.weights[name]
        return self.ops.constant(values.reshape(shape) if shape else values)

    def resize(self, x: Node, size: Node) -> Node:
        """Bilinear with corners on corners."""
        return self.ops.interpolate(
            x, size, "linear_onnx", "sizes", coordinate_transformation_mode="align_corners", axes=_ints(2, 3)
        )

    def reshape(self, x: Node, *shape: int) -> Node:
        """A 0 keeps the size that stands there."""
        return self.ops.reshape(x, _ints(*shape), True)

    def size_of(self, x: Node) -> Node:
        """(height, width) of a map."""
        return self.ops.gather(self.ops.shape_of(x), _ints(2, 3), _ints(0))


def _ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)
