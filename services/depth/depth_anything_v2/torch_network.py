"""Depth-Anything-V2 in torch, for GPUs: the same layers as in `graph.py`, any size, any number of pictures.

    pictures (n, 3, h, w) ─ patches ─ DINOv2 blocks ─ 4 × tokens (n, t, c) ─ reassemble ─ fuse ─► maps (n, h, w)

where t = 1 + rows·columns and (h, w) = 14 · (rows, columns).

Attention is torch's fused kernel. Names of weights are those of the checkpoint. Source: see `graph.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from services.common.arrays import Float
from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.preprocess import PATCH_PX

_EPS = 1e-6  # of every LayerNorm in DINOv2
_HEAD = "depth_head"


class TorchNetwork:
    """The layers, from the picture to the map.

    Args:
        weights: every tensor of the checkpoint by its official name, float32.
        config: the size the weights belong to.
        device: of torch.
        encoder: arithmetic of the encoder.
        head: arithmetic of the head, in which half of the error of a short format arises.
    """

    def __init__(
        self, weights: Mapping[str, Float], config: Config, device: str, encoder: torch.dtype, head: torch.dtype
    ) -> None:
        self._config = config
        self._encoder_dtype, self._head_dtype = encoder, head
        self._w = {
            name: torch.from_numpy(np.array(values)).to(device, head if name.startswith(_HEAD) else encoder)
            for name, values in weights.items()
        }

    def __call__(self, pictures: Tensor, positions: Tensor) -> Tensor:
        """Return raw maps (n, h, w) float32.

        Args:
            pictures: (n, 3, h, w) float32, normalised.
            positions: (1, 1 + rows·columns, c) float32, the position table for this size.
        """
        grid = pictures.shape[2] // PATCH_PX, pictures.shape[3] // PATCH_PX
        taps = self._encode(pictures.to(self._encoder_dtype), positions.to(self._encoder_dtype))
        maps = [self._reassemble(tokens.to(self._head_dtype), grid, i) for i, tokens in enumerate(taps)]
        return self._decode(maps, (PATCH_PX * grid[0], PATCH_PX * grid[1])).float()

    # ---- encoder: DINOv2 ----

    def _encode(self, pictures: Tensor, positions: Tensor) -> list[Tensor]:
        """Return the tokens after each tapped block, class token first, all through the one final norm."""
        patches = self._conv(pictures, "pretrained.patch_embed.proj", stride=PATCH_PX)  # (n, c, rows, columns)
        first = self._w["pretrained.cls_token"].expand(len(pictures), -1, -1)
        x = torch.cat([first, patches.flatten(2).transpose(1, 2)], 1) + positions  # (n, 1 + rows·columns, c)
        taps = []
        for i in range(self._config.depth):
            block = f"pretrained.blocks.{i}"
            x = x + self._w[f"{block}.ls1.gamma"] * self._attend(self._norm(x, f"{block}.norm1"), f"{block}.attn")
            y = F.gelu(self._linear(self._norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
            x = x + self._w[f"{block}.ls2.gamma"] * self._linear(y, f"{block}.mlp.fc2")
            if i in self._config.taps:
                taps.append(self._norm(x, "pretrained.norm"))
        return taps

    def _attend(self, x: Tensor, name: str) -> Tensor:
        count, tokens, c = x.shape
        heads = self._config.heads
        qkv = self._linear(x, f"{name}.qkv").reshape(count, tokens, 3, heads, c // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (n, heads, tokens, d) each
        y = F.scaled_dot_product_attention(q, k, v)
        return self._linear(y.transpose(1, 2).reshape(count, tokens, c), f"{name}.proj")

    # ---- head: DPT ----

    def _reassemble(self, tokens: Tensor, grid: tuple[int, int], i: int) -> Tensor:
        """Tokens of tap i → (n, f, s·rows, s·columns), s = 4, 2, 1, 1/2 from the first tap to the last."""
        x = tokens[:, 1:].transpose(1, 2).reshape(len(tokens), self._config.width, *grid)
        x = self._conv(x, f"{_HEAD}.projects.{i}")
        name = f"{_HEAD}.resize_layers.{i}"
        if i < 2:
            x = F.conv_transpose2d(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"], stride=(4, 2)[i])
        elif i == 3:
            x = self._conv(x, name, stride=2, padding=1)
        return self._conv(x, f"{_HEAD}.scratch.layer{i + 1}_rn", padding=1)

    def _decode(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """From the coarsest map to the finest, then to the picture's size; never below 0."""
        path: Tensor | None = None
        for level in (4, 3, 2, 1):
            name = f"{_HEAD}.scratch.refinenet{level}"
            x = maps[level - 1]
            if path is not None:
                x = path + self._residual(x, f"{name}.resConfUnit1")
            x = self._residual(x, f"{name}.resConfUnit2")
            rows, columns = maps[level - 2].shape[2:] if level > 1 else (2 * side for side in x.shape[2:])
            path = _enlarge(self._conv(x, f"{name}.out_conv"), (rows, columns))  # 1 × 1: before, as in `graph.py`
        assert path is not None
        name = f"{_HEAD}.scratch.output_conv"
        x = _enlarge(self._conv(path, f"{name}1", padding=1), size)  # (n, f / 2, h, w)
        x = F.relu(self._conv(x, f"{name}2.0", padding=1))
        return F.relu(self._conv(x, f"{name}2.2"))[:, 0]

    def _residual(self, x: Tensor, name: str) -> Tensor:
        y = self._conv(F.relu(x), f"{name}.conv1", padding=1)
        return x + self._conv(F.relu(y), f"{name}.conv2", padding=1)

    # ---- layers ----

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._w[f"{name}.weight"], self._w[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._w[f"{name}.weight"], self._w[f"{name}.bias"], _EPS)

    def _conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(x, self._w[f"{name}.weight"], self._w.get(f"{name}.bias"), stride, padding)


def _enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
