"""A matting network behind the function of our own matting, with networks of a few nodes whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.common.errors import Internal, InvalidOption, StageUnavailable
from services.orchestrator.cutout.matting_network import MattingNetwork, MattingNetworkOptions, open_matting_network

PLAIN = MattingNetworkOptions(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
RNG = np.random.default_rng(5)


def _write(path: Path, kind: str = "red", form: str = "four", height: int | str = "h", width: int | str = "w") -> Path:
    """A network that answers the red channel, the trimap, or NaN."""
    channel = {"red": 0, "trimap": 3, "nan": 0}[kind]
    shapes = {"photo": [1, 4, height, width]} if form == "four" else {
        "photo": [1, 3, height, width], "trimap": [1, 1, height, width],
    }  # fmt: skip
    nodes = [] if form == "four" else [helper.make_node("Concat", ["photo", "trimap"], ["all"], axis=1)]
    nodes.append(helper.make_node("Gather", ["photo" if form == "four" else "all", "which"], ["one"], axis=1))
    nodes.append(helper.make_node("Mul", ["one", "factor"], ["alpha"]))
    factor = np.array(np.nan if kind == "nan" else 1.0, np.float32)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([channel]), "which"), numpy_helper.from_array(factor, "factor")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def _scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    photo = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    guess = np.zeros((height, width), np.float32)
    guess[:, width // 2 :] = 1.0
    unknown = np.zeros((height, width), bool)
    unknown[height // 4 :, width // 2 - 5 : width // 2 + 6] = True
    return photo, guess, unknown


@pytest.mark.parametrize("form", ["four", "three and one"])
@pytest.mark.parametrize("shape", [(50, 70), (64, 32), (7, 90)])
def test_the_band_is_the_networks_and_the_rest_the_guess(tmp_path, form, shape):
    photo, guess, unknown = _scene(*shape)
    found = MattingNetwork(_write(tmp_path / "net.onnx", form=form), PLAIN, 1).matte(photo, guess, unknown)
    np.testing.assert_allclose(found[unknown], photo[..., 0][unknown] / 255, atol=1e-6)
    assert np.array_equal(found[~unknown], guess[~unknown])
    assert found.dtype == np.float32


def test_16_bits_are_read_as_16_bits(tmp_path):
    photo, guess, unknown = _scene(40, 40)
    network = MattingNetwork(_write(tmp_path / "net.onnx"), PLAIN, 1)
    deep = network.matte(photo.astype(np.uint16) * 257, guess, unknown)
    np.testing.assert_allclose(deep, network.matte(photo, guess, unknown), atol=1e-6)


def test_colours_are_normalised_and_the_trimap_is_not(tmp_path):
    photo, guess, unknown = _scene(40, 40)
    halved = MattingNetworkOptions(mean=(0.25, 0.5, 0.5), std=(2.0, 1.0, 1.0))
    red = MattingNetwork(_write(tmp_path / "red.onnx"), halved, 1).matte(photo, guess, unknown)
    np.testing.assert_allclose(red[unknown], np.clip((photo[..., 0][unknown] / 255 - 0.25) / 2, 0, 1), atol=1e-6)
    shown = MattingNetwork(_write(tmp_path / "trimap.onnx", "trimap"), halved, 1).matte(photo, guess, unknown)
    assert np.all(shown[unknown] == 0.5)


@pytest.mark.parametrize("sizes", [{}, {"height": 64, "width": 96}])
def test_a_large_photo_is_shown_tile_by_tile_without_seams(tmp_path, sizes):
    photo, guess, unknown = _scene(200, 310)
    options = MattingNetworkOptions((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), side=80, overlap=16)
    found = MattingNetwork(_write(tmp_path / "net.onnx", **sizes), options, 1).matte(photo, guess, unknown)
    np.testing.assert_allclose(found[unknown], photo[..., 0][unknown] / 255, atol=1e-5)


def test_only_tiles_with_something_unknown_are_computed(tmp_path, monkeypatch):
    photo, guess, _ = _scene(300, 300)
    unknown = np.zeros_like(guess, bool)
    unknown[10:20, 10:20] = True
    options = MattingNetworkOptions((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), side=100, overlap=0)
    network = MattingNetwork(_write(tmp_path / "net.onnx"), options, 1)
    network.load()
    runs = []
    infer = network._infer
    monkeypatch.setattr(network, "_infer", lambda *given: runs.append(given[1].shape) or infer(*given))
    network.matte(photo, guess, unknown)
    assert runs == [(100, 100, 3)]


@pytest.mark.parametrize("everything", [True, False])
def test_nothing_or_everything_unknown_stays_at_the_guess_without_a_run(tmp_path, everything):
    photo, guess, _ = _scene(20, 20)
    unknown = np.full((20, 20), everything)
    found = MattingNetwork(tmp_path / "gone.onnx", PLAIN).matte(photo, guess, unknown)
    assert np.array_equal(found, guess)


def test_inputs_are_not_written_to(tmp_path):
    photo, guess, unknown = _scene(40, 40)
    before = photo.copy(), guess.copy(), unknown.copy()
    MattingNetwork(_write(tmp_path / "net.onnx"), PLAIN, 1).matte(photo, guess, unknown)
    assert all(np.array_equal(now, then) for now, then in zip((photo, guess, unknown), before, strict=True))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StageUnavailable, match=r"no matting network at .*gone\.onnx"):
        MattingNetwork(tmp_path / "gone.onnx", PLAIN).load()


def test_a_file_that_is_no_network_is_named(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"hello")
    with pytest.raises(StageUnavailable, match="cannot load"):
        MattingNetwork(tmp_path / "net.onnx", PLAIN).load()


def test_a_network_of_another_kind_is_refused_at_load(tmp_path):
    nodes = [helper.make_node("Identity", ["photo"], ["mask"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in ("photo", "mask")]
    model = helper.make_model(
        helper.make_graph(nodes, "net", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, str(tmp_path / "net.onnx"))
    with pytest.raises(StageUnavailable, match=r"\[3\] channels; a matting network takes four"):
        MattingNetwork(tmp_path / "net.onnx", PLAIN).load()


def test_an_answer_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(StageUnavailable, match="not finite"):
        MattingNetwork(_write(tmp_path / "net.onnx", "nan"), PLAIN, 1).load()
    network = MattingNetwork(_write(tmp_path / "net.onnx"), MattingNetworkOptions(std=(1e-45, 1.0, 1.0)), 1)
    photo, guess, unknown = _scene(40, 40)
    network.load()
    with np.errstate(all="ignore"), pytest.raises(Internal, match="not finite"):
        network.matte(photo, guess, unknown)


def test_a_name_becomes_a_network_with_its_options():
    network = open_matting_network("onnx:/net.onnx?mean=0,0,0&std=1,1,1&multiple=16&side=512&overlap=32", 2)
    assert network.name == "onnx:/net.onnx"
    assert network._options == MattingNetworkOptions((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 16, 512, 32)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vitmatte", "wanted onnx:/path/model.onnx"),
        ("onnx:", "wanted onnx:/path/model.onnx"),
        ("onnx:/net.onnx?size=3", "no option 'size'"),
        ("onnx:/net.onnx?multiple=0", "wanted 1 to 256"),
        ("onnx:/net.onnx?side=big", "side is 'big'; wanted 1 to 8192"),
        ("onnx:/net.onnx?side=100&overlap=50", "more than twice 50 px"),
        ("onnx:/net.onnx?std=1,0,1", "wanted values above 0"),
        ("onnx:/net.onnx?mean=1,2", "wanted three numbers"),
    ],
)
def test_a_wrong_name_or_option_is_named(name, said):
    with pytest.raises(InvalidOption, match=said):
        open_matting_network(name)
