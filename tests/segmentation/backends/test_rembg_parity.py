"""One ONNX file, two programs: our stretched mask is the one of rembg's own session, for every family we offer.

rembg lives in an environment of its own (make peers) and is asked once, for all families and photos together. Our code
runs there beside it, on the same libraries: Pillow 12 and 13 shrink a large photo differently, by up to 6/255 on noise,
which any network passes on. With the libraries of our own environment photos are compared that are not shrunk.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from services.common.models.model_store import StoredModel
from services.segmentation.backends.catalogue import BACKENDS, FAMILIES, NetworkResources

ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".venv-peers"
CUSTOM = "custom"
THEIR_NAMES = {CUSTOM: "u2net_custom"}  # what rembg calls a file of one's own; elsewhere the names are the same
SIZES = {"wide": (90, 140), "tall": (1300, 500), "tiny": (31, 17)}
SHRUNK = "tall"
DIM = "dim"
ASK_REMBG = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from rembg import new_session
sys.path.append(sys.argv[3])  # last, for what is not there: OpenCV
from services.common.models.model_store import StoredModel
from services.segmentation.backends.catalogue import BACKENDS, NetworkResources
folder = Path(sys.argv[1])
for name, theirs in json.loads(sys.argv[2]).items():
    path = {"model_path": str(folder / f"{name}.onnx")} if theirs.endswith("custom") else {}
    session = new_session(theirs, providers=["CPUExecutionProvider"], **path)
    model = f"rembg:custom={folder / 'custom.onnx'}" if path else f"rembg:{name}"
    find = {name: StoredModel(folder / f"{name}.onnx", "", "")}.get
    ours = BACKENDS.open(model, NetworkResources(find, provider="cpu"))
    for photo in sorted(folder.glob("*.png")):
        [mask] = session.predict(Image.open(photo))
        np.save(folder / f"{name}.{photo.stem}.theirs.npy", np.asarray(mask))
        raw = ours.segment(np.asarray(Image.open(photo)))
        np.save(folder / f"{name}.{photo.stem}.ours.npy", np.rint(raw.stretched() * 255))
"""


def _write_network(path: Path, side: int, sigmoid: bool, seed: int) -> None:
    """Random layers that answer a varied mask, and a second output that must not be taken for it."""
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 0.4, (3, 3, 3, 3)).astype(np.float32)
    last = rng.normal(0, 0.9, (1, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["photo", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "last"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["c"], ["mask"]),
        helper.make_node("Neg", ["mask"], ["aside"]),
    ]
    shape = [1, 1, side, side]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("mask", "aside")],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(last, "last")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def _photo(shape: tuple[int, int]) -> np.ndarray:
    """Shapes, a gradient and grain."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    disc = np.hypot(y - shape[0] / 2, x - shape[1] / 2) < min(shape) / 3
    plain = np.dstack([x / shape[1] * 120 + 60, y / shape[0] * 150 + 40, np.where(disc, 200, 70)])
    return np.clip(plain + np.random.default_rng(1).normal(0, 12, plain.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def rembg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with networks, photos, and rembg's masks of them."""
    folder = tmp_path_factory.mktemp("parity")
    for seed, (name, wants) in enumerate({**FAMILIES, CUSTOM: FAMILIES["u2net"]}.items()):
        _write_network(folder / f"{name}.onnx", wants.side_px, not wants.sigmoid, seed)
    photos = {name: _photo(shape) for name, shape in SIZES.items()}
    photos[DIM] = photos["wide"] // 5
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png")
    names = json.dumps({name: THEIR_NAMES.get(name, name) for name in (*FAMILIES, CUSTOM)})
    homes = {"U2NET_HOME": str(folder), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    environment = {**homes, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [str(PEERS / "bin/python"), "-c", ASK_REMBG, str(folder), names, str(Path(cv2.__file__).parents[1])]
    asked = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr
    return folder


def assert_equal_within_a_grey_level(ours: np.ndarray, theirs: np.ndarray, photo: str) -> None:
    assert theirs.std() > 5, "the network tells nothing apart"
    away = np.abs(ours.astype(int) - theirs)
    assert away.max() <= 1, f"{photo}: {away.max()}/255 at worst, {np.mean(away > 1):.2%} of the pixels are off by more"


@pytest.mark.parametrize("photo", [*SIZES, DIM])
@pytest.mark.parametrize("family", [*FAMILIES, CUSTOM])
def test_stretched_mask_is_rembgs_within_a_grey_level_on_the_same_libraries(rembg, family, photo):
    ours, theirs = (np.load(rembg / f"{family}.{photo}.{whose}.npy") for whose in ("ours", "theirs"))
    assert_equal_within_a_grey_level(ours, theirs, photo)


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
@pytest.mark.parametrize("family", [*FAMILIES, CUSTOM])
def test_stretched_mask_is_rembgs_within_a_grey_level_on_our_own_libraries(rembg, family, provider):
    path = rembg / f"{family}.onnx"
    name = f"rembg:custom={path}" if family == CUSTOM else f"rembg:{family}"
    find = {family: StoredModel(path, "ab" * 32, "")}.get
    network = BACKENDS.open(name, NetworkResources(find, threads=1, provider=provider, precision="float32"))
    for photo in {*SIZES, DIM} - {SHRUNK}:
        raw = network.segment(np.asarray(Image.open(rembg / f"{photo}.png")))
        theirs = np.load(rembg / f"{family}.{photo}.theirs.npy")
        assert_equal_within_a_grey_level(np.rint(raw.stretched() * 255), theirs, photo)
