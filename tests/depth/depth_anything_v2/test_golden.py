"""Our network against maps of the official code, where the reference outputs lie beside the checkout.

They were made with stand-in weights that are a function of the tensors' names, so both formats can be written here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes
from services.depth.depth_anything_v2.graph import build_graphs
from services.depth.depth_anything_v2.openvino_engine import Engine, OpenVinoEngine
from services.depth.depth_anything_v2.preprocess import network_size, to_network, to_photo
from services.depth.depth_anything_v2.weights import read_weights
from tests.needs import SHARED

GOLDEN = SHARED / "golden"
pytestmark = pytest.mark.needs_shared

TOLERANCE = 5e-5  # of the map's range; correct variants differ by 1e-5, of which 8e-6 is the reference's quantisation
CASES = ["tiny_landscape_518", "tiny_portrait_518", "tiny_large_518", "tiny_square_252", "vits_square_252"]
TINY = Config(width=64, depth=8, heads=2, taps=(1, 3, 5, 7), features=16, neck=(8, 16, 32, 64))


@pytest.fixture(scope="module")
def standin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("standin_depth", GOLDEN / "standin_depth.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads((GOLDEN / "depth" / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def engines(
    standin: ModuleType, write_pth: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], OpenVinoEngine]:
    """engines(size, "pth" | "safetensors") → the network, read from a file of that format; each made once."""
    made: dict[tuple[str, str], OpenVinoEngine] = {}
    folder = tmp_path_factory.mktemp("standin")

    def open_engine(size: str, form: str) -> OpenVinoEngine:
        if (size, form) not in made:
            if form == "pth":
                path = write_pth(folder / f"depth_anything_v2_{size}.pth", standin.state(size))
            else:
                path = Path(standin.write_hf(str(folder / size), size)) / "model.safetensors"
            config = {"tiny": TINY, **CONFIGS}[size]
            weights = read_weights(path, config)
            made[size, form] = OpenVinoEngine(build_graphs(weights, config), threads=2)
        return made[size, form]

    return open_engine


def _photo(expected: dict[str, Any], name: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(GOLDEN / "depth" / expected["inputs"][name]["file"])), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("form", ["pth", "safetensors"])
@pytest.mark.parametrize("case", CASES)
def test_map_equals_the_official_one(
    case: str, form: str, expected: dict[str, Any], engines: Callable[[str, str], OpenVinoEngine]
) -> None:
    _compare(case, expected, engines(expected["cases"][case]["weights"], form))


def _compare(case: str, expected: dict[str, Any], engine: Engine) -> None:
    facts = expected["cases"][case]
    rgb = _photo(expected, facts["input"])
    height, width = rgb.shape[:2]
    size = network_size(width, height, facts["input_size"])
    ours = to_photo(engine.infer(to_network(rgb, size.width_px, size.height_px))[0], width, height)

    low, high = facts["depth"]["lo"], facts["depth"]["hi"]
    with np.load(GOLDEN / "depth" / "expected.npz") as maps:
        official = low + maps[case] / 65535 * (high - low)
    assert ours.shape == official.shape
    assert np.abs(ours - official).max() / (high - low) < TOLERANCE


@pytest.mark.needs_torch
@pytest.mark.parametrize("case", CASES)
def test_map_of_the_torch_network_equals_the_official_one(
    case: str, expected: dict[str, Any], standin: ModuleType
) -> None:
    from services.depth.depth_anything_v2.torch_engine import TorchEngine

    size = expected["cases"][case]["weights"]
    _compare(case, expected, TorchEngine(standin.state(size), {"tiny": TINY, **CONFIGS}[size], "cpu"))


def test_every_size_follows_the_official_rule(expected: dict[str, Any]) -> None:
    for width, height, input_px, tensor_width, tensor_height in expected["sizes"]["rows"]:
        size = network_size(width, height, input_px, max_tokens=10**9)
        assert (size.width_px, size.height_px) == (tensor_width, tensor_height), (width, height, input_px)


@pytest.mark.parametrize("case", ["tiny_landscape_518", "tiny_portrait_518", "tiny_large_518", "tiny_square_252"])
def test_network_input_equals_the_official_one(case: str, expected: dict[str, Any]) -> None:
    facts = expected["cases"][case]
    rgb = _photo(expected, facts["input"])
    size = network_size(rgb.shape[1], rgb.shape[0], facts["input_size"])
    tensor = to_network(rgb, size.width_px, size.height_px)
    samples = facts["tensor"]["samples"]
    assert list(tensor.shape) == facts["tensor"]["shape"]
    ours = tensor[0][:, samples["rows"]][:, :, samples["cols"]]
    np.testing.assert_allclose(ours, samples["values"], atol=2e-6)
    np.testing.assert_allclose(tensor[0].mean(axis=(1, 2)), facts["tensor"]["mean"], atol=1e-5)


@pytest.mark.parametrize("size", sorted(CONFIGS))
def test_tensor_list_equals_the_published_one(size: str) -> None:
    published = json.loads((GOLDEN / "keys" / f"depth_anything_v2_{size}.json").read_text(encoding="utf-8"))
    assert {name: list(shape) for name, shape in tensor_shapes(CONFIGS[size]).items()} == published


@pytest.mark.parametrize("size", sorted(CONFIGS))
def test_every_published_transformers_name_is_understood(size: str, standin: ModuleType) -> None:
    from services.depth.depth_anything_v2.weights import mismatch, to_official_names

    empty = {name: np.broadcast_to(np.float32(0), shape) for name, shape in tensor_shapes(CONFIGS[size]).items()}
    assert mismatch(to_official_names(standin.to_hf(empty, size)), CONFIGS[size]) == ""
