"""Our network against the official one, where its reference outputs lie beside the checkout.

They were made with stand-in weights that are a function of the tensors' names. Tolerances: the same network in another
order of sums differs by 1e-6 (scene code) and 1e-5 (raw density); the other rule for the position table by a hundred
times the limits here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.mesher.triposr.config import TripoSRConfig, read_config
from services.mesher.triposr.picture import compose_on_grey, to_network
from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.mesher.triposr import checkpoint  # noqa: E402
from services.mesher.triposr.image_tokenizer import MEAN, STD  # noqa: E402
from services.mesher.triposr.model import TripoSR  # noqa: E402
from services.mesher.triposr.query import sample_planes  # noqa: E402

Arrays = dict[str, np.ndarray]
SCENE_CODE, DENSITY, COLOUR = 1e-5, 1e-4, 1e-5


@pytest.fixture(scope="module")
def reference(golden: Path) -> Arrays:
    return dict(np.load(golden / "triposr" / "small.npz"))


@pytest.fixture(scope="module")
def network(standin_folder: Callable[[str], Path]) -> TripoSR:
    return TripoSR.from_checkpoint(standin_folder("small"))


@pytest.fixture(scope="module")
def picture(golden: Path) -> Any:
    rgb = np.asarray(Image.open(golden / "triposr" / "input_framed.png").convert("RGB"))
    return to_network(rgb, 96)


@pytest.fixture(scope="module")
def field(network: TripoSR, picture: Any) -> Any:
    return network.reconstruct(picture)


def test_official_configuration_is_the_default_one(golden: Path) -> None:
    assert read_config(golden / "keys" / "triposr_config.yaml") == TripoSRConfig()


def test_resized_picture_equals_the_official_one(picture: Any, reference: Arrays) -> None:
    np.testing.assert_allclose(picture[0].permute(1, 2, 0).numpy(), reference["cond"], atol=1e-6)


@pytest.mark.parametrize("case", range(9))
def test_cutout_on_grey_equals_the_official_one(golden: Path, case: int) -> None:
    cases = np.load(golden / "triposr" / "framing.npz")
    names = sorted({name.split("/")[0] for name in cases.files})
    resized, framed = cases[f"{names[case]}/resized"], cases[f"{names[case]}/framed"]
    np.testing.assert_array_equal(compose_on_grey(resized), framed)


def test_every_published_tensor_is_used_and_none_is_missing(golden: Path) -> None:
    published = json.loads((golden / "keys" / "triposr.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in published.items() if name not in checkpoint.UNUSED}
        ours = TripoSR(TripoSRConfig(), checkpoint.vit_sizes(state, TripoSRConfig()))
    shapes = {name: list(value.shape) for name, value in ours.state_dict().items()}
    assert shapes.pop("image_tokenizer.model.embeddings.position_embeddings") == [1, 1025, 768]
    left_over = {name: shape for name, shape in published.items() if shapes.get(name) != shape}
    assert set(left_over) == {*checkpoint.UNUSED, "image_tokenizer.model.embeddings.position_embeddings"}
    assert set(shapes) <= set(published)


def test_image_tokens_equal_the_official_ones(network: TripoSR, picture: Any, reference: Arrays) -> None:
    with torch.inference_mode():
        embedded = network.image_tokenizer.model.embeddings(_normalised(picture))
        tokens = network.image_tokenizer(picture)
    np.testing.assert_allclose(embedded[0].numpy(), reference["embeddings"], atol=SCENE_CODE)
    np.testing.assert_allclose(tokens[0].numpy(), reference["image_tokens"], atol=SCENE_CODE)


def test_scene_code_equals_the_official_one(network: TripoSR, picture: Any, reference: Arrays) -> None:
    with torch.inference_mode():
        scene_code = network(picture)[0].numpy()
    np.testing.assert_allclose(scene_code, reference["scene_code"], atol=SCENE_CODE)


def test_scene_code_is_not_that_of_the_other_position_rule(network: TripoSR, picture: Any, reference: Arrays) -> None:
    with torch.inference_mode():
        scene_code = network(picture)[0].numpy()
    assert np.abs(scene_code - reference["exact_scene_code"]).max() > 100 * SCENE_CODE


def test_raw_density_equals_the_official_one(field: Any, reference: Arrays) -> None:
    np.testing.assert_allclose(field.density(reference["points"]), reference["density"], atol=DENSITY)


def test_colour_equals_the_official_one(network: TripoSR, picture: Any, reference: Arrays) -> None:
    with torch.inference_mode():
        features = sample_planes(network(picture)[0], torch.from_numpy(reference["points"]), 0.87)
        colour = torch.sigmoid(network.decoder(features)[:, 1:]).numpy()
    np.testing.assert_allclose(colour, reference["color"], atol=COLOUR)


def test_density_on_the_official_lattice_is_equal(field: Any, reference: Arrays) -> None:
    axis = np.linspace(-0.87, 0.87, 32, dtype=np.float32)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(field.density(lattice), reference["grid_density"].ravel(), atol=DENSITY)


@pytest.mark.timeout(1800)  # making the weights and one forward: minutes on a busy machine
@pytest.mark.needs_full_size
def test_full_size_network_equals_the_official_one(
    golden: Path, standin: ModuleType, standin_folder: Callable[[str], Path]
) -> None:
    wanted = np.load(golden / "triposr" / "full.npz")
    network = TripoSR.from_checkpoint(standin_folder("full"))
    rgb = np.asarray(Image.open(golden / "triposr" / "input_framed.png").convert("RGB"))
    image = to_network(rgb, 512)
    with torch.inference_mode():
        tokens = network.image_tokenizer(image)[0].numpy()
    field = network.reconstruct(image)
    np.testing.assert_allclose(tokens[::41, ::7], wanted["image_tokens_s"], atol=3e-5)
    np.testing.assert_allclose(field.scene_code[:, ::5, ::4, ::4], wanted["scene_code_s"], atol=3e-5)
    np.testing.assert_allclose(field.density(wanted["points"]), wanted["density"], atol=1e-3)


def _normalised(image: Any) -> Any:
    return (image - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
