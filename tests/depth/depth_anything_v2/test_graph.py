"""The OpenVINO graph against the same network written down once more in plain NumPy, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from services.depth.depth_anything_v2.config import Config
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import OpenVinoEngine
from services.depth.depth_anything_v2.positions import position_table

Tensors = dict[str, np.ndarray]
_erf = np.vectorize(math.erf)


class Reference:
    """Depth-Anything-V2 after the paper and the official modules; (c, h, w) maps and (n, c) tokens."""

    def __init__(self, weights: Tensors, config: Config) -> None:
        self.w = {name: value.astype(np.float64) for name, value in weights.items()}
        self.config = config

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        x = picture[0].astype(np.float64)
        rows, columns = x.shape[1] // 14, x.shape[2] // 14
        taps = self.encoder(x, rows, columns)
        maps = []
        for i, tokens in enumerate(taps):
            y = self.conv(tokens[1:].T.reshape(-1, rows, columns), f"depth_head.projects.{i}")
            if i == 0:
                y = self.blow_up(y, "depth_head.resize_layers.0")
            if i == 1:
                y = self.blow_up(y, "depth_head.resize_layers.1")
            if i == 3:
                y = self.conv(y, "depth_head.resize_layers.3", stride=2, pad=1)
            maps.append(self.conv(y, f"depth_head.scratch.layer{i + 1}_rn", pad=1))
        path = self.fusion(4, None, maps[3], maps[2].shape[1:])
        path = self.fusion(3, path, maps[2], maps[1].shape[1:])
        path = self.fusion(2, path, maps[1], maps[0].shape[1:])
        path = self.fusion(1, path, maps[0], tuple(2 * n for n in maps[0].shape[1:]))
        y = self.conv(path, "depth_head.scratch.output_conv1", pad=1)
        y = self.resize(y, (14 * rows, 14 * columns))
        y = np.maximum(self.conv(y, "depth_head.scratch.output_conv2.0", pad=1), 0)
        return np.maximum(self.conv(y, "depth_head.scratch.output_conv2.2"), 0)[0]

    def encoder(self, picture: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
        c, heads = self.config.width, self.config.heads
        x = self.conv(picture, "pretrained.patch_embed.proj", stride=14).reshape(c, -1).T
        x = np.concatenate([self.w["pretrained.cls_token"][0], x])
        x = x + position_table(self.w["pretrained.pos_embed"].astype(np.float32), rows, columns)[0]
        taps = []
        for i in range(self.config.depth):
            name = f"pretrained.blocks.{i}"
            q, k, v = np.split(self.linear(self.norm(x, f"{name}.norm1"), f"{name}.attn.qkv"), 3, axis=1)
            d = c // heads
            joined = []
            for h in range(heads):
                part = slice(h * d, (h + 1) * d)
                score = q[:, part] @ k[:, part].T / np.sqrt(d)
                share = np.exp(score - score.max(axis=1, keepdims=True))
                joined.append(share / share.sum(axis=1, keepdims=True) @ v[:, part])
            y = self.linear(np.concatenate(joined, axis=1), f"{name}.attn.proj")
            x = x + self.w[f"{name}.ls1.gamma"] * y
            y = self.linear(self.norm(x, f"{name}.norm2"), f"{name}.mlp.fc1")
            y = y * 0.5 * (1 + _erf(y / np.sqrt(2)))
            x = x + self.w[f"{name}.ls2.gamma"] * self.linear(y, f"{name}.mlp.fc2")
            if i in self.config.taps:
                taps.append(self.norm(x, "pretrained.norm"))
        return taps

    def fusion(self, level: int, path: Any, x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        name = f"depth_head.scratch.refinenet{level}"
        if path is not None:
            x = path + self.unit(x, f"{name}.resConfUnit1")
        return self.conv(self.resize(self.unit(x, f"{name}.resConfUnit2"), size), f"{name}.out_conv")

    def unit(self, x: np.ndarray, name: str) -> np.ndarray:
        y = self.conv(np.maximum(x, 0), f"{name}.conv1", pad=1)
        return x + self.conv(np.maximum(y, 0), f"{name}.conv2", pad=1)

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
        return x * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def conv(self, x: np.ndarray, name: str, stride: int = 1, pad: int = 0) -> np.ndarray:
        kernel = self.w[f"{name}.weight"]
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        y = np.einsum("ihwyx,oiyx->ohw", windows, kernel, optimize=True)
        return y + self.w.get(f"{name}.bias", np.zeros(len(kernel)))[:, None, None]

    def blow_up(self, x: np.ndarray, name: str) -> np.ndarray:
        kernel = self.w[f"{name}.weight"]  # (in, out, k, k); each pixel becomes k × k
        y = np.einsum("ihw,ioyx->ohywx", x, kernel)
        size = (kernel.shape[1], x.shape[1] * kernel.shape[2], x.shape[2] * kernel.shape[3])
        return y.reshape(size) + self.w[f"{name}.bias"][:, None, None]

    def resize(self, x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        for axis, count in ((1, size[0]), (2, size[1])):
            n = x.shape[axis]
            at = np.linspace(0, n - 1, count)
            x = np.apply_along_axis(lambda line, n=n, at=at: np.interp(at, np.arange(n), line), axis, x)
        return x


@pytest.mark.parametrize("size", [(70, 98), (98, 42), (14, 14), (56, 56)])
def test_graph_computes_what_the_paper_says(tiny: Config, tiny_weights: Tensors, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(3).standard_normal((1, 3, *size)).astype(np.float32)
    engine = OpenVinoEngine(build_graphs(tiny_weights, tiny), threads=1)
    wanted = Reference(tiny_weights, tiny)(picture)
    assert wanted.shape == size
    assert np.ptp(wanted) > 0.1, "the reference must be alive for the comparison to mean anything"
    np.testing.assert_allclose(engine.infer(picture)[0], wanted, atol=2e-5 * np.ptp(wanted))


def test_class_token_and_positions_matter(tiny: Config, tiny_weights: Tensors) -> None:
    picture = np.random.default_rng(5).standard_normal((1, 3, 56, 56)).astype(np.float32)
    before = OpenVinoEngine(build_graphs(tiny_weights, tiny), threads=1).infer(picture)
    for name in ("pretrained.cls_token", "pretrained.pos_embed"):
        changed = {**tiny_weights, name: np.roll(tiny_weights[name], 1, axis=-1)}
        after = OpenVinoEngine(build_graphs(changed, tiny), threads=1).infer(picture)
        assert np.abs(after - before).max() > 1e-3 * np.ptp(before)


def test_weights_are_not_written_to(tiny: Config, tiny_weights: Tensors) -> None:
    before = {name: value.copy() for name, value in tiny_weights.items()}
    build_graphs(tiny_weights, tiny)
    assert all(np.array_equal(before[name], value) for name, value in tiny_weights.items())
