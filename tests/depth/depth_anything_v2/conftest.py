"""A tiny network of the right structure, and a writer of torch's checkpoint format that does not need torch."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.depth.depth_anything_v2.config import Config, tensor_shapes

Tensors = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def tiny() -> Config:
    return Config(width=16, depth=5, heads=2, taps=(0, 1, 2, 4), features=8, neck=(4, 6, 8, 10))


@pytest.fixture(scope="session")
def tiny_weights(tiny: Config) -> Tensors:
    """Random weights whose map is alive: fan-in scaled, norms round 1, a bias that lifts the last layer above 0."""
    rng = np.random.default_rng(20)
    weights: Tensors = {}
    for name, shape in tensor_shapes(tiny).items():
        values = rng.standard_normal(shape)
        if name.endswith("gamma") or (".norm" in name and name.endswith("weight")):
            values = 1 + 0.1 * values
        elif len(shape) > 1 and not name.endswith(("token", "embed")):
            values /= np.sqrt(np.prod(shape[1:]))
        weights[name] = (values * (0.1 if name.endswith("bias") else 1.0)).astype(np.float32)
    weights["depth_head.scratch.output_conv2.2.bias"] += 1
    return weights


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _ints(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_int, values)) + b"t"


def tensor_pickle(key: str, shape: tuple[int, ...], strides: tuple[int, ...], count: int, offset: int = 0) -> bytes:
    """The opcodes that torch writes for one float32 tensor."""
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu") + _int(count) + b"tQ"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    described = storage + _int(offset) + _ints(shape) + _ints(strides) + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + described + b"tR"


def state_pickle(items: dict[str, bytes]) -> bytes:
    """The opcodes of an OrderedDict from names to already pickled values."""
    body = b"".join(_text(name) + value for name, value in items.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + body + b"u."


def write_zip(path: Path, data: bytes, storages: dict[str, bytes], root: str = "archive") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", data)
        archive.writestr(f"{root}/byteorder", b"little")
        for key, raw in storages.items():
            archive.writestr(f"{root}/data/{key}", raw)
        archive.writestr(f"{root}/version", b"3\n")
    return path


@pytest.fixture(scope="session")
def write_pth() -> Callable[..., Path]:
    """write_pth(path, tensors, root="archive") → path: a checkpoint as torch.save writes a state dict."""

    def write(path: Path, tensors: Tensors, root: str = "archive") -> Path:
        items, storages = {}, {}
        for i, (name, given) in enumerate(tensors.items()):
            value = np.ascontiguousarray(given, dtype="<f4")
            strides = tuple(step // 4 for step in value.strides)
            items[name] = tensor_pickle(str(i), value.shape, strides, value.size)
            storages[str(i)] = value.tobytes()
        return write_zip(path, state_pickle(items), storages, root)

    return write


@pytest.fixture(scope="session")
def pickles() -> tuple[Callable[..., bytes], Callable[..., bytes], Callable[..., Path]]:
    """The parts of `write_pth`, to make broken files with: (tensor_pickle, state_pickle, write_zip)."""
    return tensor_pickle, state_pickle, write_zip


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """(40, 60, 3) uint8: two discs on a ramp."""
    y, x = np.mgrid[:40, :60]
    rgb = np.stack([6 * y, 4 * x, 120 + 0 * x], axis=-1)
    rgb[(x - 20) ** 2 + (y - 22) ** 2 < 90] = (220, 40, 60)
    rgb[(x - 44) ** 2 + (y - 12) ** 2 < 50] = (20, 180, 240)
    return rgb.astype(np.uint8)
