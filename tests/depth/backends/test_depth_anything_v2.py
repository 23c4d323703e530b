from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from services.common.errors import StageUnavailable
from services.common.models.store import StoredModel
from services.depth.backends import depth_anything_v2 as module
from services.depth.backends.catalogue import open_backend
from services.depth.backends.depth_anything_v2 import DepthAnythingBackend, probe
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes

TINY = Config(width=16, depth=4, heads=2, taps=(0, 1, 2, 3), features=8, neck=(4, 6, 8, 10))
Weights = dict[str, np.ndarray]


def _weights(last_bias: float = 1.0) -> Weights:
    rng = np.random.default_rng(4)
    weights = {}
    for name, shape in tensor_shapes(TINY).items():
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 1
        values = rng.standard_normal(shape) / np.sqrt(fan_in)
        weights[name] = (values + (len(shape) == 1 and name.endswith(("weight", "gamma")))).astype(np.float32)
    weights["depth_head.scratch.output_conv2.2.bias"][:] = last_bias
    return weights


@pytest.fixture
def weights_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(CONFIGS, "vits", TINY)
    save_file(_weights(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def _open(path: Path, query: str = "size=70") -> DepthAnythingBackend:
    backend = open_backend(f"depth-anything-v2:vits?{query}", lambda _name: StoredModel(path, "c0de", "Apache-2.0"), 1)
    assert isinstance(backend, DepthAnythingBackend)
    backend.load()
    return backend


def _rgb(height: int = 33, width: int = 47) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_map_has_the_photos_size_and_is_alive(weights_file: Path) -> None:
    rgb = _rgb()
    before = rgb.copy()
    depth = _open(weights_file).estimate(rgb)
    assert depth.shape == (33, 47)
    assert depth.dtype == np.float32
    assert depth.min() >= 0
    assert np.ptp(depth) > 0
    np.testing.assert_array_equal(rgb, before)


def test_threads_may_load_and_estimate_at_once(weights_file: Path) -> None:
    backend = open_backend("depth-anything-v2:vits?size=70", lambda _name: StoredModel(weights_file, "", ""), 1)
    with ThreadPoolExecutor(4) as pool:
        maps = list(pool.map(backend.estimate, [_rgb()] * 8))
    for depth in maps[1:]:
        np.testing.assert_allclose(depth, maps[0], atol=1e-6)


def test_float32_is_kept_when_named(weights_file: Path) -> None:
    assert _open(weights_file, "size=70&dtype=float32").dtype == "float32"


@pytest.mark.parametrize(("limit", "dtype"), [(1.0, "bfloat16"), (0.0, "float32")])
def test_bfloat16_is_taken_only_when_the_trial_agrees(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch, limit: float, dtype: str
) -> None:
    if not module.has_bfloat16():
        pytest.skip("this CPU has no bfloat16")
    monkeypatch.setattr(module, "MAX_ERROR", limit)
    backend = _open(weights_file)
    assert backend.dtype == dtype
    assert ("depth runs in float32" in backend.note(640, 480)) is (dtype == "float32")


@pytest.mark.parametrize(("off", "dtype"), [(0.009, "bfloat16"), (0.011, "float32"), (np.nan, "float32")])
def test_the_worst_pixel_of_the_trial_decides(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch, off: float, dtype: str
) -> None:
    class Engine:
        def __init__(self, graphs: object, threads: int, dtype: str = "float32") -> None:
            self.dtype = dtype

        def infer(self, picture: np.ndarray) -> np.ndarray:
            exact = np.linspace(0, 5, 100, dtype=np.float32).reshape(10, 10)
            worst = exact + 5 * off * (np.arange(100).reshape(10, 10) == 37)
            return exact if self.dtype == "float32" else worst.astype(np.float32)

    monkeypatch.setattr(module, "Engine", Engine)
    monkeypatch.setattr(module, "has_bfloat16", lambda: True)
    backend = _open(weights_file)
    assert backend.dtype == dtype
    said = backend.note(640, 480)
    assert ("1.1% of its range" in said) if off == 0.011 else (bool(said) is (dtype == "float32"))


def test_cpu_without_bfloat16_runs_float32(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    assert _open(weights_file).dtype == "float32"


def test_own_weights_file_is_hashed_and_its_licence_not_claimed(weights_file: Path) -> None:
    backend = open_backend(f"depth-anything-v2:vits?weights={weights_file}", lambda _name: None, 1)
    assert len(backend.digest) == 64
    assert "not stated" in backend.licence


def test_missing_openvino_names_the_extra(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(StageUnavailable, match=r"pip install 'unflat\[depth\]'"):
        _open(weights_file)


def test_values_that_are_not_finite_never_leave(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = _open(weights_file)
    monkeypatch.setattr(module.Engine, "infer", lambda _self, picture: np.full(picture.shape[2:], np.nan, np.float32))
    with pytest.raises(StageUnavailable, match="not finite"):
        backend.estimate(_rgb())


@pytest.mark.parametrize("bias", [np.nan, np.inf, -1e6])
def test_damaged_numbers_are_refused_at_load(tmp_path: Path, weights_file: Path, bias: float) -> None:
    save_file(_weights(last_bias=bias), tmp_path / "damaged.safetensors")
    with pytest.raises(StageUnavailable, match="damaged"):
        _open(tmp_path / "damaged.safetensors")


def test_panorama_is_answered_and_noted(weights_file: Path) -> None:
    backend = _open(weights_file, "size=518&dtype=float32")
    assert backend.note(640, 480) == ""
    assert "so long" in backend.note(10_000, 40)
    assert backend.estimate(_rgb(4, 1000)).shape == (4, 1000)


def test_probe_is_the_same_each_time_and_not_flat() -> None:
    assert probe().shape == (1, 3, 266, 350)
    np.testing.assert_array_equal(probe(), probe())
    assert probe().std() > 0.5
