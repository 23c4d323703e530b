from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.common.backends.backend_spec import BackendSpec
from services.common.errors import InvalidOption, StageUnavailable
from services.depth.backends.onnx import FLOOR_SHARE, OnnxBackend, OnnxOptions, inverse

PLAIN = {"mean": "0,0,0", "std": "1,1,1"}
WriteOnnx = Callable[..., Path]


@pytest.fixture
def write_onnx(tmp_path: Path) -> WriteOnnx:
    """write_onnx(height, width, kind=float32, op="mean") → a network whose map is the mean of the three channels."""

    def write(height: object, width: object, kind: int = TensorProto.FLOAT, op: str = "mean") -> Path:
        shape = [1, 3, height, width]
        axes = numpy_helper.from_array(np.array([1] if op != "scalar" else [1, 2, 3]), "axes")
        nodes = [helper.make_node("ReduceMean", ["picture", "axes"], ["mean"], keepdims=0)]
        result = "mean"
        if op == "log":  # -inf where the picture is black
            nodes.append(helper.make_node("Log", ["mean"], ["log"]))
            result = "log"
        graph = helper.make_graph(
            nodes,
            "mean",
            [helper.make_tensor_value_info("picture", kind, shape)],
            [helper.make_tensor_value_info(result, kind, None)],
            [axes],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        path = tmp_path / "mean.onnx"
        onnx.save(model, path)
        return path

    return write


def _open(path: Path, **options: str) -> OnnxBackend:
    backend = OnnxBackend(path, OnnxOptions.parse(BackendSpec("onnx:", {**PLAIN, **options})), threads=1)
    backend.load()
    return backend


def _ramp(height: int = 30, width: int = 50) -> np.ndarray:
    values = np.linspace(20, 220, width).round().astype(np.uint8)
    return np.broadcast_to(values[None, :, None], (height, width, 3)).copy()


def test_fixed_file_gets_its_size_and_the_map_comes_back_at_the_photos(write_onnx: WriteOnnx) -> None:
    rgb = _ramp()
    depth = _open(write_onnx(28, 42)).estimate(rgb)
    assert depth.shape == (30, 50)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, rgb[..., 0] / 255, atol=0.02)


def test_free_file_gets_the_photo_by_its_short_side(write_onnx: WriteOnnx) -> None:
    backend = _open(write_onnx("h", "w"), size="56")
    rgb = _ramp()
    np.testing.assert_allclose(backend.estimate(rgb), rgb[..., 0] / 255, atol=0.02)


def test_near_small_turns_depth_into_its_inverse(write_onnx: WriteOnnx) -> None:
    rgb = _ramp()
    depth = _open(write_onnx(28, 42), near="small").estimate(rgb)
    np.testing.assert_allclose(depth[:, 5:-5], 255 / rgb[:, 5:-5, 0], rtol=0.05)
    assert (np.diff(depth, axis=1) <= 0).all()


def test_zero_depth_does_not_become_infinite() -> None:
    depth = np.array([[0, 1, 2, 4]], np.float32)
    np.testing.assert_allclose(inverse(depth), [[1 / (FLOOR_SHARE * 1.5), 1, 0.5, 0.25]], rtol=1e-6)
    assert np.isfinite(inverse(np.zeros((3, 3), np.float32))).all()


def test_mean_and_std_are_applied(write_onnx: WriteOnnx) -> None:
    rgb = np.full((28, 42, 3), 255, np.uint8)
    depth = _open(write_onnx(28, 42), mean="0.5,0.5,0.5", std="0.25,0.25,0.25").estimate(rgb)
    np.testing.assert_allclose(depth, 2.0, atol=1e-5)


def test_half_precision_file_is_fed_and_named(write_onnx: WriteOnnx) -> None:
    backend = _open(write_onnx(28, 42, TensorProto.FLOAT16))
    assert backend.dtype == "float16"
    assert backend.estimate(_ramp()).dtype == np.float32


def test_digest_is_that_of_the_file(write_onnx: WriteOnnx) -> None:
    path = write_onnx(28, 42)
    assert _open(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_second_load_does_nothing(write_onnx: WriteOnnx) -> None:
    path = write_onnx(28, 42)
    backend = _open(path)
    path.unlink()
    backend.load()
    assert backend.estimate(_ramp()).shape == (30, 50)


def test_panorama_in_a_square_file_is_noted(write_onnx: WriteOnnx) -> None:
    backend = _open(write_onnx(42, 42))
    assert "squeezed" in backend.size_notes(900, 200)[0]
    assert backend.size_notes(400, 300) == ()


def test_size_against_the_files_own_is_refused(write_onnx: WriteOnnx) -> None:
    with pytest.raises(StageUnavailable, match="42 × 28 px only"):
        _open(write_onnx(28, 42), size="56")


@pytest.mark.parametrize(
    ("height", "kind", "op", "said"),
    [
        (28, TensorProto.FLOAT, "scalar", "answers one map"),
        (28, TensorProto.DOUBLE, "mean", "wanted float"),
        (28, TensorProto.FLOAT, "log", "not finite"),
    ],
)
def test_file_that_is_no_depth_network_is_refused(
    write_onnx: WriteOnnx, height: int, kind: int, op: str, said: str
) -> None:
    with pytest.raises(StageUnavailable, match=said):
        _open(write_onnx(height, 42, kind, op)).estimate(np.zeros((28, 42, 3), np.uint8))


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StageUnavailable, match=r"no ONNX file at .*gone\.onnx"):
        _open(tmp_path / "gone.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(StageUnavailable, match=r"cannot load .*broken\.onnx"):
        _open(tmp_path / "broken.onnx")


def test_missing_runtime_names_the_extra(write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(StageUnavailable, match=r"pip install 'unflat\[depth\]'"):
        _open(write_onnx(28, 42))


@pytest.mark.parametrize(
    "options",
    [{"near": "far"}, {"mean": "1,2"}, {"mean": "a,b,c"}, {"std": "1,0,1"}, {"std": "nan,1,1"}, {"side": "518"}],
)
def test_wrong_option_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(InvalidOption):
        OnnxOptions.parse(BackendSpec("onnx:", options))
