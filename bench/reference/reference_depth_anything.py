"""Depth-Anything-V2 as its authors run it: eager torch, one operation after the other, in float32.

Attention is written out (scores, softmax, weighted sum) as in the published code, which takes a fused kernel only where
xformers is installed. Weights by their official names. Source: Yang et al., Depth Anything V2 (2024); Oquab et al.,
DINOv2 (2023), for the encoder; Ranftl et al., Vision Transformers for Dense Prediction (2021), for the head.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from services.depth.depth_anything_v2.config import Config

PATCH_PX = 14
_EPSILON = 1e-6
_HEAD = "depth_head"


class ReferenceDepthAnything:
    """The network over a dictionary of weights.

    Args:
        weights: every tensor of an official checkpoint.
        config: its size.
    """

    def __init__(self, weights: Mapping[str, Tensor], config: Config) -> None:
        self._w = weights
        self._config = config

    def __call__(self, picture: Tensor) -> Tensor:
        """Return the raw map (h, w) of a normalised picture (1, 3, 518, 518)."""
        rows, columns = picture.shape[2] // PATCH_PX, picture.shape[3] // PATCH_PX
        with torch.inference_mode():
            maps = [self._to_map(level, tokens, rows, columns) for level, tokens in enumerate(self._encode(picture))]
            return self._decode(maps, (PATCH_PX * rows, PATCH_PX * columns))

    def _encode(self, picture: Tensor) -> list[Tensor]:
        """Return the tokens at the four taps."""
        patches = self._conv(picture, "pretrained.patch_embed.proj", stride=PATCH_PX).flatten(2).transpose(1, 2)
        tokens = torch.cat([self._w["pretrained.cls_token"], patches], 1) + self._w["pretrained.pos_embed"]
        taps = []
        for number in range(self._config.depth):
            block = f"pretrained.blocks.{number}"
            attended = self._attend(self._norm(tokens, f"{block}.norm1"), f"{block}.attn")
            tokens = tokens + self._w[f"{block}.ls1.gamma"] * attended
            hidden = F.gelu(self._linear(self._norm(tokens, f"{block}.norm2"), f"{block}.mlp.fc1"))
            tokens = tokens + self._w[f"{block}.ls2.gamma"] * self._linear(hidden, f"{block}.mlp.fc2")
            if number in self._config.taps:
                taps.append(self._norm(tokens, "pretrained.norm"))
        return taps

    def _attend(self, tokens: Tensor, name: str) -> Tensor:
        heads, channels = self._config.heads, self._config.width // self._config.heads
        parts = self._linear(tokens, f"{name}.qkv").reshape(1, -1, 3, heads, channels)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        weights = ((query * channels**-0.5) @ key.transpose(-2, -1)).softmax(-1)
        return self._linear((weights @ value).transpose(1, 2).reshape(1, -1, self._config.width), f"{name}.proj")

    def _to_map(self, level: int, tokens: Tensor, rows: int, columns: int) -> Tensor:
        grid = tokens[:, 1:].transpose(1, 2).reshape(1, self._config.width, rows, columns)
        grid = self._conv(grid, f"{_HEAD}.projects.{level}")
        if level < 2:
            name = f"{_HEAD}.resize_layers.{level}"
            grid = F.conv_transpose2d(grid, self._w[f"{name}.weight"], self._w[f"{name}.bias"], stride=(4, 2)[level])
        elif level == 3:
            grid = self._conv(grid, f"{_HEAD}.resize_layers.3", stride=2, padding=1)
        return self._conv(grid, f"{_HEAD}.scratch.layer{level + 1}_rn", padding=1)

    def _decode(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Fuse the maps from coarse to fine."""
        path: Tensor | None = None
        for level in (4, 3, 2, 1):
            name = f"{_HEAD}.scratch.refinenet{level}"
            fused = maps[level - 1]
            if path is not None:
                fused = path + self._residual(fused, f"{name}.resConfUnit1")
            fused = self._residual(fused, f"{name}.resConfUnit2")
            finer = maps[level - 2].shape[2:] if level > 1 else [2 * side for side in fused.shape[2:]]
            path = self._conv(_enlarge(fused, finer), f"{name}.out_conv")
        assert path is not None
        large = _enlarge(self._conv(path, f"{_HEAD}.scratch.output_conv1", padding=1), size)
        hidden = F.relu(self._conv(large, f"{_HEAD}.scratch.output_conv2.0", padding=1))
        return F.relu(self._conv(hidden, f"{_HEAD}.scratch.output_conv2.2"))[0, 0]

    def _residual(self, maps: Tensor, name: str) -> Tensor:
        inner = self._conv(F.relu(maps), f"{name}.conv1", padding=1)
        return self._conv(F.relu(inner), f"{name}.conv2", padding=1) + maps

    def _linear(self, values: Tensor, name: str) -> Tensor:
        return F.linear(values, self._w[f"{name}.weight"], self._w[f"{name}.bias"])

    def _norm(self, values: Tensor, name: str) -> Tensor:
        weight, bias = self._w[f"{name}.weight"], self._w[f"{name}.bias"]
        return F.layer_norm(values, (self._config.width,), weight, bias, _EPSILON)

    def _conv(self, values: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(values, self._w[f"{name}.weight"], self._w.get(f"{name}.bias"), stride, padding)


def _enlarge(values: Tensor, size: torch.Size | list[int] | tuple[int, int]) -> Tensor:
    return F.interpolate(values, size=list(size), mode="bilinear", align_corners=True)
