from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from services.common.backends.backend_catalogue import Resources
from services.common.backends.batching import BatchOptions
from services.common.errors import StageUnavailable
from services.common.models.model_store import StoredModel
from services.depth.backends import depth_anything_v2 as module
from services.depth.backends import engine_choice
from services.depth.backends.catalogue import BACKENDS
from services.depth.backends.depth_anything_v2 import DepthAnythingBackend
from services.depth.depth_anything_v2 import trial
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes
from services.depth.depth_anything_v2.openvino_engine import OpenVinoEngine

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
    found = StoredModel(path, "c0de", "Apache-2.0")
    backend = BACKENDS.open(f"depth-anything-v2:vits?{query}", Resources(lambda _name: found, 1))
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
    backend = BACKENDS.open(f"depth-anything-v2:vits?size=70&weights={weights_file}", Resources(threads=1))
    with ThreadPoolExecutor(4) as pool:
        maps = list(pool.map(backend.estimate, [_rgb()] * 8))
    for depth in maps[1:]:
        np.testing.assert_allclose(depth, maps[0], atol=1e-6)


def test_float32_is_kept_when_named(weights_file: Path) -> None:
    assert _open(weights_file, "size=70&dtype=float32").dtype == "float32"


@pytest.mark.needs_bfloat16
@pytest.mark.parametrize(("limit", "dtype"), [(1.0, "bfloat16"), (0.0, "float32")])
def test_bfloat16_is_taken_only_when_the_trial_agrees(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch, limit: float, dtype: str
) -> None:
    monkeypatch.setattr(trial, "MAX_ERROR", limit)
    backend = _open(weights_file)
    assert backend.dtype == dtype
    assert any("depth runs in float32" in note for note in backend.notes) is (dtype == "float32")


def test_cpu_without_bfloat16_runs_float32(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_choice, "bfloat16_processor", str)
    assert _open(weights_file).dtype == "float32"


def test_own_weights_file_is_hashed_and_its_licence_not_claimed(weights_file: Path) -> None:
    backend = BACKENDS.open(f"depth-anything-v2:vits?weights={weights_file}", Resources(threads=1))
    assert len(backend.digest) == 64
    assert "not stated" in backend.licence


def test_missing_openvino_names_the_extra(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StageUnavailable, match=r"pip install 'unflat\[depth\]'"):
        _open(weights_file)


class _Overflows:
    """An engine whose short format does not hold the numbers."""

    device = "cpu"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def infer(self, pictures: np.ndarray) -> np.ndarray:
        values = pictures.mean(axis=1)
        return np.full_like(values, np.nan) if self.dtype != "float32" else values


def test_values_that_are_not_finite_never_leave(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = _open(weights_file, "size=70&dtype=float32")
    monkeypatch.setattr(OpenVinoEngine, "infer", lambda _self, p: np.full((1, *p.shape[2:]), np.nan, np.float32))
    with pytest.raises(StageUnavailable, match="not finite"):
        backend.estimate(_rgb())


def test_a_short_format_that_overflows_later_is_given_up_for_good(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_engine(_weights: object, _config: object, options: engine_choice.EngineOptions) -> tuple[_Overflows, str]:
        opened.append("float32" if options.dtype == "float32" else "float16")
        return _Overflows(opened[-1]), ""

    monkeypatch.setattr(module, "open_engine", open_engine)
    backend = _open(weights_file)
    for _ in range(2):
        assert np.isfinite(backend.estimate(_rgb())).all()
    assert opened == ["float16", "float32"]
    assert "float16 answered values that are not finite" in backend.notes[0]
    assert backend.dtype == "float32"


class _Small:
    """An engine with memory for so many pixels in all."""

    device, dtype = "cuda", "float16"

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.seen: list[tuple[int, ...]] = []

    def infer(self, pictures: np.ndarray) -> np.ndarray:
        count, _, height, width = pictures.shape
        self.seen.append((count, height, width))
        if count * height * width > self.pixels:
            raise MemoryError("CUDA out of memory")
        return pictures.mean(axis=1)


def _open_small(path: Path, monkeypatch: pytest.MonkeyPatch, pixels: int, batching: BatchOptions | None = None):
    engine = _Small(pixels)
    monkeypatch.setattr(module, "open_engine", lambda *_: (engine, ()))
    found = StoredModel(path, "c0de", "Apache-2.0")
    backend = BACKENDS.open("depth-anything-v2:vits?size=70", Resources(lambda _name: found, 1, batching))
    backend.load()
    return engine, backend


def test_memory_that_runs_out_costs_resolution_once_and_is_said(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, backend = _open_small(weights_file, monkeypatch, 70 * 70)
    assert backend.estimate(_rgb()).shape == (33, 47)
    assert engine.seen == [(1, 70, 98), (1, 42, 56)]
    assert "the cuda ran out of memory; depth saw the photo at 56 × 42 px" in backend.size_notes(47, 33)


def test_memory_that_is_full_is_a_clear_error_and_the_next_photo_is_served(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, backend = _open_small(weights_file, monkeypatch, 0)
    with pytest.raises(StageUnavailable, match="the cuda has too little memory for depth"):
        backend.estimate(_rgb())
    engine.pixels = 10**9
    assert backend.estimate(_rgb()).shape == (33, 47)
    assert len(engine.seen) == 3


def test_concurrent_photos_of_one_size_share_a_run(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    batching = BatchOptions(
        most=4, max_wait_s=30.0, observe=sizes.append
    )  # only a full batch goes before the time limit
    engine, backend = _open_small(weights_file, monkeypatch, 10**9, batching)
    with ThreadPoolExecutor(4) as pool:
        maps = list(pool.map(backend.estimate, [_rgb()] * 4))
    assert engine.seen == [(4, 70, 98)]
    assert sizes == [4]
    for depth in maps:
        np.testing.assert_array_equal(depth, maps[0])


def test_a_batch_too_large_for_the_memory_is_halved_before_resolution_is_given_up(
    weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, backend = _open_small(weights_file, monkeypatch, 2 * 70 * 98, BatchOptions(most=4, max_wait_s=30.0))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(backend.estimate, [_rgb()] * 4))
    assert engine.seen == [(4, 70, 98), (2, 70, 98), (2, 70, 98)]
    assert backend.size_notes(47, 33) == ()


def test_a_caller_who_left_is_not_run(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend = _open_small(weights_file, monkeypatch, 10**9, BatchOptions(most=4, max_wait_s=30.0))

    def leave() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        backend.estimate(_rgb(), leave)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(backend.estimate, [_rgb()] * 4))
    assert engine.seen == [(4, 70, 98)]


@pytest.mark.parametrize("bias", [np.nan, np.inf, -1e6])
def test_damaged_numbers_are_refused_at_load(tmp_path: Path, weights_file: Path, bias: float) -> None:
    save_file(_weights(last_bias=bias), tmp_path / "damaged.safetensors")
    with pytest.raises(StageUnavailable, match="damaged"):
        _open(tmp_path / "damaged.safetensors")


def test_panorama_is_answered_and_noted(weights_file: Path) -> None:
    backend = _open(weights_file, "size=518&dtype=float32")
    assert backend.size_notes(640, 480) == ()
    assert "so long" in backend.size_notes(10_000, 40)[0]
    assert backend.estimate(_rgb(4, 1000)).shape == (4, 1000)
