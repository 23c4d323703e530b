"""Depth-Anything-V2 as an OpenVINO graph, straight from the weights: no torch, no conversion, any input size.

    picture (1, 3, h, w) ─ patches ─ DINOv2 blocks ─ four tapped token maps ─ reassemble ─ fuse ─ head ─ (1, 1, h, w)
                               ▲
    positions (1, 1 + rows·columns, c): resized outside for each size, so the graph is frozen to none

Names of functions and weights are those of the checkpoint. (h, w) = 14 · (rows, columns).

Source: Yang et al., Depth Anything V2, 2024 (official code, commit a561b84); Oquab et al., DINOv2, 2023; Ranftl et al.,
Vision Transformers for Dense Prediction, 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from services.common.arrays import Float
from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.preprocess import PATCH_PX

Node = Any  # an openvino.Node; the library carries no types
_EPS = 1e-6  # of every LayerNorm in DINOv2


def build_graph(weights: dict[str, Float], config: Config) -> Any:
    """Return the network as an openvino.Model with the inputs `picture` and `positions` of free size.

    Args:
        weights: every tensor of the checkpoint by its official name, float32.
        config: the size the weights belong to.
    """
    import openvino as ov

    return ov.Model(*_Network(weights, config).assemble(), "depth_anything_v2")


class _Network:
    """The layers, from the picture to the map."""

    def __init__(self, weights: dict[str, Float], config: Config) -> None:
        import openvino.opset15 as ops

        self.ops = ops
        self.w = weights
        self.config = config

    def assemble(self) -> tuple[list[Node], list[Node]]:
        """Return (results, parameters)."""
        import openvino as ov

        ops, c = self.ops, self.config.width
        picture = ops.parameter(ov.PartialShape([1, 3, -1, -1]), np.float32)
        positions = ops.parameter(ov.PartialShape([1, -1, c]), np.float32)
        picture.output(0).tensor.set_names({"picture"})
        positions.output(0).tensor.set_names({"positions"})

        patches = self.conv(picture, "pretrained.patch_embed.proj", stride=PATCH_PX)  # (1, c, rows, columns)
        grid = self.size_of(patches)
        taps = self.encoder(patches, positions)  # 4 x (1, 1 + n, c)
        maps = [self.reassemble(tokens, grid, i) for i, tokens in enumerate(taps)]
        fused = self.fuse(maps)  # (1, f, 8·rows, 8·columns)
        depth = self.head(fused, grid)  # (1, 1, 14·rows, 14·columns)
        return [ops.result(depth)], [picture, positions]

    # ---- encoder: DINOv2 ----

    def encoder(self, patches: Node, positions: Node) -> list[Node]:
        """Patches → the tokens after each tapped block, class token first, all through the one final norm."""
        ops, c = self.ops, self.config.width
        x = ops.transpose(self.reshape(patches, 1, c, -1), [0, 2, 1])  # (1, n, c)
        x = ops.concat([self.w["pretrained.cls_token"], x], 1)
        x = ops.add(x, positions)  # (1, 1 + n, c)
        taps = []
        for i in range(self.config.depth):
            x = self.block(x, f"pretrained.blocks.{i}")
            if i in self.config.taps:
                taps.append(self.norm(x, "pretrained.norm"))
        return taps

    def block(self, x: Node, name: str) -> Node:
        """A transformer block with layer scale."""
        ops, w = self.ops, self.w
        y = self.attention(self.norm(x, f"{name}.norm1"), f"{name}.attn")
        x = ops.add(x, ops.multiply(y, w[f"{name}.ls1.gamma"]))
        y = self.linear(self.norm(x, f"{name}.norm2"), f"{name}.mlp.fc1")
        y = self.linear(ops.gelu(y, "erf"), f"{name}.mlp.fc2")
        return ops.add(x, ops.multiply(y, w[f"{name}.ls2.gamma"]))

    def attention(self, x: Node, name: str) -> Node:
        """(1, 1 + n, c) → the same: softmax(q·k / √d)·v in each head."""
        ops, c, heads = self.ops, self.config.width, self.config.heads
        qkv = self.reshape(self.linear(x, f"{name}.qkv"), 1, -1, 3, heads, c // heads)
        qkv = ops.transpose(qkv, [2, 0, 3, 1, 4])  # (3, 1, heads, 1 + n, d)
        q, k, v = (ops.squeeze(part, [0]) for part in ops.split(qkv, 0, 3).outputs())
        y = ops.scaled_dot_product_attention(q, k, v)  # (1, heads, 1 + n, d)
        y = self.reshape(ops.transpose(y, [0, 2, 1, 3]), 1, -1, c)
        return self.linear(y, f"{name}.proj")

    # ---- neck: DPT ----

    def reassemble(self, tokens: Node, grid: Node, i: int) -> Node:
        """Tokens of tap i → (1, f, s·rows, s·columns), s = 4, 2, 1, 1/2 from the first tap to the last."""
        ops, name = self.ops, "depth_head.resize_layers"
        x = ops.slice(tokens, [1], [np.iinfo(np.int64).max], [1], [1])  # the class token is dropped
        x = ops.reshape(ops.transpose(x, [0, 2, 1]), ops.concat([_ints(1, self.config.width), grid], 0), False)
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

    def head(self, x: Node, grid: Node) -> Node:
        """(1, f, 8·rows, 8·columns) → (1, 1, h, w) at the picture's size, never below 0."""
        ops, name = self.ops, "depth_head.scratch.output_conv"
        x = self.conv(x, f"{name}1", pad=1)
        x = self.resize(x, ops.multiply(grid, _ints(PATCH_PX, PATCH_PX)))
        x = ops.relu(self.conv(x, f"{name}2.0", pad=1))
        return ops.relu(self.conv(x, f"{name}2.2"))

    # ---- layers ----

    def linear(self, x: Node, name: str) -> Node:
        """(…, in) → (…, out)."""
        y = self.ops.matmul(x, self.w[f"{name}.weight"], False, True)
        return self.ops.add(y, self.w[f"{name}.bias"])

    def norm(self, x: Node, name: str) -> Node:
        """LayerNorm over the last axis."""
        y = self.ops.mvn(x, [-1], True, _EPS, "inside_sqrt")
        return self.ops.add(self.ops.multiply(y, self.w[f"{name}.weight"]), self.w[f"{name}.bias"])

    def conv(self, x: Node, name: str, stride: int = 1, pad: int = 0) -> Node:
        """A convolution, with bias where the checkpoint has one."""
        y = self.ops.convolution(x, self.w[f"{name}.weight"], [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
        return self.add_bias(y, name)

    def conv_transposed(self, x: Node, name: str, stride: int) -> Node:
        """A transposed convolution whose kernel is as wide as its stride."""
        y = self.ops.convolution_backprop_data(x, self.w[f"{name}.weight"], [stride] * 2)
        return self.add_bias(y, name)

    def add_bias(self, x: Node, name: str) -> Node:
        bias = self.w.get(f"{name}.bias")
        return x if bias is None else self.ops.add(x, bias.reshape(1, -1, 1, 1))

    def resize(self, x: Node, size: Node) -> Node:
        """Bilinear with corners on corners."""
        return self.ops.interpolate(
            x, size, "linear_onnx", "sizes", coordinate_transformation_mode="align_corners", axes=_ints(2, 3)
        )

    def reshape(self, x: Node, *shape: int) -> Node:
        return self.ops.reshape(x, _ints(*shape), False)

    def size_of(self, x: Node) -> Node:
        """(height, width) of a map."""
        return self.ops.gather(self.ops.shape_of(x), _ints(2, 3), _ints(0))


def _ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)
