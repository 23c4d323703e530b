from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from services.common.backends.backend_catalogue import Resources
from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.model_store import StoredModel
from services.depth.backends.catalogue import BACKENDS
from services.depth.backends.depth_anything_v2 import DepthAnythingBackend
from services.depth.backends.onnx import OnnxBackend

WEIGHTS = StoredModel(Path("/models/weights.pth"), "ab" * 32, "Apache-2.0")


NOTHING = Resources()
EVERYTHING = Resources(lambda _name: WEIGHTS)


def _only(wanted: str) -> Resources:
    return Resources(lambda name: WEIGHTS if name == wanted else None)


def test_none_is_said_as_switched_off() -> None:
    with pytest.raises(StageUnavailable, match="depth is switched off"):
        BACKENDS.open("none", NOTHING)


def test_auto_without_weights_names_the_command() -> None:
    with pytest.raises(StageUnavailable, match="unflat models pull depth-anything-v2-vits"):
        BACKENDS.open("auto", NOTHING)


def test_auto_never_takes_weights_that_may_not_be_used_commercially() -> None:
    with pytest.raises(StageUnavailable):
        BACKENDS.open("auto", _only("depth-anything-v2-vitb"))


def test_auto_without_openvino_and_torch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(StageUnavailable, match="openvino or torch is needed; `pip install 'unflat"):
        BACKENDS.open("auto", _only("depth-anything-v2-vits"))


def test_auto_is_the_small_network() -> None:
    backend = BACKENDS.open("auto", _only("depth-anything-v2-vits"))
    assert isinstance(backend, DepthAnythingBackend)
    assert (backend.name, backend.digest, backend.licence) == ("depth-anything-v2:vits", "ab" * 32, "Apache-2.0")


@pytest.mark.parametrize("size", ["vits", "vitb", "vitl"])
def test_named_size_asks_the_store_for_its_weights(size: str) -> None:
    backend = BACKENDS.open(f"depth-anything-v2:{size}", _only(f"depth-anything-v2-{size}"))
    assert backend.name == f"depth-anything-v2:{size}"


def test_named_size_without_weights_names_its_own_command() -> None:
    with pytest.raises(StageUnavailable, match="unflat models pull depth-anything-v2-vitl"):
        BACKENDS.open("depth-anything-v2:vitl", NOTHING)


def test_onnx_path_opens_without_looking_at_the_file() -> None:
    backend = BACKENDS.open("onnx:/some/where.onnx?near=small", NOTHING)
    assert isinstance(backend, OnnxBackend)
    assert backend.name == "onnx:/some/where.onnx"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("depth-anything-v2:vitx", "depth-anything-v2:vits"),
        ("depth-anything-v2", "depth-anything-v2:vits"),
        ("atuo", "auto"),
        ("onnx:", "onnx:/path"),
        ("midas", "auto"),
        ("", "auto"),
    ],
)
def test_unknown_name_offers_near_ones(name: str, near: str) -> None:
    with pytest.raises(InvalidOption, match=near):
        BACKENDS.open(name, NOTHING)


@pytest.mark.parametrize(
    "query",
    [
        "dtpye=float32",
        "dtype=int8",
        "size=500",
        "size=0",
        "size=x",
        "size",
        "size=518&size=252",
        "engine=tflite",
        "device=tpu",
        "device=cuda:x",
        "engine=openvino&device=cuda",
        "engine=openvino&dtype=float16",
    ],
)
def test_wrong_option_is_refused_before_anything_loads(query: str) -> None:
    with pytest.raises(InvalidOption):
        BACKENDS.open(f"depth-anything-v2:vits?{query}", EVERYTHING)


def test_unknown_option_offers_the_nearest() -> None:
    with pytest.raises(InvalidOption, match="'dtype'"):
        BACKENDS.open("depth-anything-v2:vits?dtpye=float32", EVERYTHING)


def test_weights_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageUnavailable, match=r"no weights at .*gone\.pth"):
        BACKENDS.open(f"depth-anything-v2:vits?weights={tmp_path}/gone.pth", NOTHING)
