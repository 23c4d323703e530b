"""Networks in ONNX, with networks of a node or two whose answer is known."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from services.common.errors import Internal, StageUnavailable
from services.segmentation.backends import onnx_network
from services.segmentation.backends.onnx_network import NetworkInput, OnnxNetwork, prepare
from tests.waiting import until

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLAIN = NetworkInput(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
RNG = np.random.default_rng(3)
PHOTO = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
PROVIDERS = ("cpu", "openvino")


def _rembg_steps(rgb: np.ndarray, side: int, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """rembg's BaseSession.normalize, step by step, with plain loops."""
    small = np.array(Image.fromarray(rgb).convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
    scaled = small / max(np.max(small), 1e-6)
    out = np.zeros((3, side, side))
    for channel in range(3):
        out[channel] = (scaled[:, :, channel] - mean[channel]) / std[channel]
    return out[None].astype(np.float32)


@pytest.fixture
def make(tmp_path) -> Callable[..., Path]:
    """Write a network that answers the mean of the colours, or what `nodes` say."""

    def write(nodes=None, side: int | str = "s", kind: int = TensorProto.FLOAT, shape=None, constants=()) -> Path:
        nodes = nodes or [helper.make_node("ReduceMean", ["photo"], ["mask"], axes=[1], keepdims=1)]
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("photo", kind, [1, 3, side, side])],
            [helper.make_tensor_value_info("mask", kind, shape)],
            list(constants),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        path = tmp_path / "net.onnx"
        onnx.save(model, str(path))
        return path

    return write


@pytest.mark.parametrize("photo", [PHOTO, PHOTO // 3, np.zeros_like(PHOTO)], ids=["bright", "dim", "black"])
@pytest.mark.parametrize(("side", "mean", "std"), [(32, MEAN, STD), (64, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))])
def test_the_preprocessing_is_rembgs(photo, side, mean, std):
    assert np.allclose(prepare(photo, NetworkInput(side, mean, std)), _rembg_steps(photo, side, mean, std), atol=1e-6)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_mask_is_the_networks_answer_at_the_photos_size(make, provider):
    network = OnnxNetwork("net", make(), PLAIN, provider=provider)
    network.load()
    grey = np.full((40, 60, 3), 128, np.uint8)
    grey[:, 30:] = 255
    raw = network.segment(grey)
    assert raw.alpha.shape == (40, 60)
    assert raw.alpha.dtype == np.float32
    assert np.allclose(raw.alpha[:, :20], 128 / 255, atol=0.01)
    assert raw.score == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_side_that_a_file_fixes_wins(make, provider):
    network = OnnxNetwork("net", make(side=24), PLAIN, provider=provider)
    network.load()
    assert network.segment(PHOTO).alpha.shape == (40, 60)


def test_half_precision_inputs_are_fed_in_half_precision(make):
    network = OnnxNetwork("net", make(kind=TensorProto.FLOAT16), PLAIN, provider="cpu")
    network.load()
    whole = OnnxNetwork("net", make(), PLAIN, provider="cpu")
    assert np.abs(network.segment(PHOTO).alpha - whole.segment(PHOTO).alpha).max() < 2e-3


def test_a_sigmoid_is_added_where_the_network_has_none(make):
    wants = NetworkInput(32, (0.5, 0.5, 0.5), (0.05, 0.05, 0.05), sigmoid=True)
    white = OnnxNetwork("net", make(), wants, provider="cpu").segment(np.full((20, 20, 3), 255, np.uint8))
    assert white.alpha == pytest.approx(1 / (1 + np.exp(-10.0)), abs=1e-4)


def test_an_answer_of_three_dimensions_is_a_mask_too(make):
    nodes = [helper.make_node("ReduceMean", ["photo"], ["mask"], axes=[1], keepdims=0)]
    assert OnnxNetwork("net", make(nodes), PLAIN, provider="cpu").segment(PHOTO).alpha.shape == (40, 60)


def test_an_answer_without_height_and_width_is_refused_at_load(make):
    nodes = [helper.make_node("ReduceMean", ["photo"], ["mask"], axes=[1, 2], keepdims=0)]
    with pytest.raises(StageUnavailable, match=r"not a network that answers masks.*wanted \(1, 1, H, W\)"):
        OnnxNetwork("net", make(nodes), PLAIN, provider="cpu").load()


def test_an_answer_that_is_not_finite_is_refused_at_load(make):
    nan = numpy_helper.from_array(np.array(np.nan, np.float32), "nan")
    nodes = [
        helper.make_node("ReduceMean", ["photo"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "nan"], ["mask"]),
    ]
    with pytest.raises(StageUnavailable, match="not finite"):
        OnnxNetwork("net", make(nodes, constants=[nan]), PLAIN, provider="cpu").load()


def test_an_answer_that_becomes_infinite_on_a_photo_is_an_error_of_ours(make):
    nodes = [
        helper.make_node("ReduceMin", ["photo"], ["least"], axes=[1], keepdims=1),
        helper.make_node("Reciprocal", ["least"], ["mask"]),
    ]
    network = OnnxNetwork("net", make(nodes), PLAIN, provider="cpu")
    network.load()
    with pytest.raises(Internal, match="not finite"):
        network.segment(np.zeros((20, 20, 3), np.uint8))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_missing_file_is_named(tmp_path, provider):
    with pytest.raises(StageUnavailable, match=r"no ONNX file at .*gone\.onnx"):
        OnnxNetwork("net", tmp_path / "gone.onnx", PLAIN, provider=provider).load()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_file_that_is_no_network_is_named(tmp_path, provider):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(StageUnavailable, match="cannot load"):
        OnnxNetwork("net", tmp_path / "net.onnx", PLAIN, provider=provider).load()


def test_a_gpu_that_is_required_and_not_used_is_refused(make):
    with pytest.raises(StageUnavailable, match="a GPU is required"):
        OnnxNetwork("net", make(), PLAIN, provider="cpu", require_gpu=True).load()


@pytest.mark.parametrize(("device", "free", "runs"), [("cuda", True, "together"), ("cuda", False, "alone"),
                                                      ("openvino", True, "alone")])  # fmt: skip
def test_concurrent_calls_are_batched_where_a_gpu_and_a_free_axis_make_it_pay(
    monkeypatch, tmp_path, device, free, runs
):
    sizes: list[int] = []
    busy = threading.Event()

    class Engine:
        dtype, side_px, notes, has_free_batch = "float32", None, (), free

        def __init__(self) -> None:
            self.device = device

        def run(self, photos: np.ndarray) -> np.ndarray:
            sizes.append(len(photos))
            if len(sizes) > 1:  # not the look at load
                assert busy.wait(30)
            return photos[:, :1]

    monkeypatch.setattr(onnx_network, "open_engine", lambda *_: Engine())
    network = OnnxNetwork("net", tmp_path / "net.onnx", PLAIN, precision="float32")
    network.load()
    greys = [np.full((32, 32, 3), 40 * k, np.uint8) for k in range(1, 6)]
    with ThreadPoolExecutor(5) as threads:
        calls = [threads.submit(network.segment, grey) for grey in greys]
        if runs == "together":  # the first is under way, the others wait for it
            batcher = network._batcher
            until(lambda: len(sizes) > 1 and sizes[1] + batcher.waiting >= len(greys))
        busy.set()
        masks = [call.result(30) for call in calls]
    assert all(mask.alpha == pytest.approx(1.0) for mask in masks)  # each was divided by its own maximum
    assert sum(sizes) == 1 + len(greys)
    assert (max(sizes) > 1) == (runs == "together")
    network.close()


def test_a_closed_network_can_be_loaded_again(make):
    network = OnnxNetwork("net", make(), PLAIN, provider="cpu")
    before = network.segment(PHOTO).alpha
    network.close()
    assert np.array_equal(network.segment(PHOTO).alpha, before)
