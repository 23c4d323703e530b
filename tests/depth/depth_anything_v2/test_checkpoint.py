from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.depth.depth_anything_v2.checkpoint import BadCheckpoint, original_name, read_checkpoint

Pickles = tuple[Callable[..., bytes], Callable[..., bytes], Callable[..., Path]]


def test_tensors_come_back_by_name_and_shape(tmp_path: Path, write_pth: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "a.weight": rng.random((2, 3, 4)).astype(np.float32),
        "a.bias": rng.random(3).astype(np.float32),
        "one": np.float32([[7]]),
    }
    read = read_checkpoint(write_pth(tmp_path / "x.pth", tensors))
    assert list(read) == list(tensors)
    for name, value in tensors.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], value)


def test_transposed_view_of_a_shared_storage_is_rebuilt(tmp_path: Path, pickles: Pickles) -> None:
    tensor, state, write = pickles
    items = {"x": tensor("0", (3, 2), (1, 3), 10, offset=2), "y": tensor("0", (4,), (1,), 10)}
    path = write(tmp_path / "x.pth", state(items), {"0": np.arange(10, dtype="<f4").tobytes()})
    read = read_checkpoint(path)
    np.testing.assert_array_equal(read["x"], np.arange(2, 8).reshape(2, 3).T)
    np.testing.assert_array_equal(read["y"], np.arange(4))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (b"HalfStorage", np.array([1.5, -2], "<f2").tobytes()),
        (b"DoubleStorage", np.array([1.5, -2], "<f8").tobytes()),
        (b"BFloat16Storage", struct.pack("<HH", 0x3FC0, 0xC000)),
    ],
)
def test_other_floats_become_float32(tmp_path: Path, pickles: Pickles, kind: bytes, raw: bytes) -> None:
    tensor, state, write = pickles
    data = state({"x": tensor("0", (2,), (1,), 2)}).replace(b"FloatStorage", kind)
    read = read_checkpoint(write(tmp_path / "x.pth", data, {"0": raw}))
    assert read["x"].dtype == np.float32
    np.testing.assert_array_equal(read["x"], [1.5, -2])


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


def test_code_in_the_pickle_is_refused_and_not_run(
    tmp_path: Path, pickles: Pickles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pickles[2](tmp_path / "x.pth", pickle.dumps({"x": _Attack()}, protocol=2), {})
    with pytest.raises(BadCheckpoint, match="mkdir"):
        read_checkpoint(path)
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "name", [b"builtins\neval", b"torch\nload", b"torch._utils\n_rebuild_parameter", b"collections\ndeque"]
)
def test_other_names_are_refused(tmp_path: Path, pickles: Pickles, name: bytes) -> None:
    path = pickles[2](tmp_path / "x.pth", b"\x80\x02c" + name + b"\n.", {})
    with pytest.raises(BadCheckpoint, match="asks for"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((11,), (1,), 0), ((2, 5), (6, 1), 0), ((5,), (1,), 6), ((5,), (-1,), 9), ((-1,), (1,), 0), ((3, 3), (1,), 0)],
)
def test_tensor_beyond_its_storage_is_refused(
    tmp_path: Path, pickles: Pickles, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    tensor, state, write = pickles
    data = state({"x": tensor("0", shape, strides, 10, offset)})
    path = write(tmp_path / "x.pth", data, {"0": bytes(40)})
    with pytest.raises(BadCheckpoint):
        read_checkpoint(path)


def test_storage_of_another_length_is_refused(tmp_path: Path, pickles: Pickles) -> None:
    tensor, state, write = pickles
    path = write(tmp_path / "x.pth", state({"x": tensor("0", (10,), (1,), 10)}), {"0": bytes(36)})
    with pytest.raises(BadCheckpoint, match="10 numbers"):
        read_checkpoint(path)


def test_missing_storage_is_named(tmp_path: Path, pickles: Pickles) -> None:
    tensor, state, write = pickles
    path = write(tmp_path / "x.pth", state({"x": tensor("7", (1,), (1,), 1)}), {})
    with pytest.raises(BadCheckpoint, match="storage 7 is missing"):
        read_checkpoint(path)


def test_nested_training_checkpoint_is_refused(tmp_path: Path, pickles: Pickles) -> None:
    _, state, write = pickles
    path = write(tmp_path / "x.pth", state({"model": state({})[2:-1]}), {})
    with pytest.raises(BadCheckpoint, match="plain dictionary"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(BadCheckpoint):
        read_checkpoint(path)


def test_cut_pickle_is_refused(tmp_path: Path, pickles: Pickles) -> None:
    tensor, state, write = pickles
    path = write(tmp_path / "x.pth", state({"x": tensor("0", (1,), (1,), 1)})[:60], {"0": bytes(4)})
    with pytest.raises(BadCheckpoint, match="broken"):
        read_checkpoint(path)


def test_renamed_file_still_tells_its_first_name(tmp_path: Path, write_pth: Callable[..., Path]) -> None:
    path = write_pth(tmp_path / "renamed.pth", {}, root="depth_anything_vits14")
    assert original_name(path) == "depth_anything_vits14"
