"""Surfaces of fitted fields of known shapes, where these lie beside the checkout, against dense extraction at 256."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.mesher.extract import Surface, extract_surface, keep_real_parts
from services.mesher.geometry.mesh import is_watertight, label_components, signed_volume
from services.mesher.triposr.config import TripoSRConfig
from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.mesher.triposr.decoder import Decoder  # noqa: E402
from services.mesher.triposr.query import SceneField  # noqa: E402

LEVEL = 1 + np.log(25)


@pytest.fixture(scope="module", params=["ring", "chair", "mug"])
def case(request: pytest.FixtureRequest, golden: Path) -> tuple[SceneField, dict[str, np.ndarray], dict[str, Any]]:
    """The field, its stored arrays, and what dense extraction of the raw density gives."""
    arrays = dict(np.load(golden / "triposr" / f"field_{request.param}.npz"))
    decoder = Decoder(TripoSRConfig()).requires_grad_(False)
    weights = {name: torch.from_numpy(v.astype(np.float32)) for name, v in arrays.items() if name.startswith("layers")}
    decoder.load_state_dict(weights)
    scene_code = torch.from_numpy(arrays["scene_code"].astype(np.float32))
    facts = json.loads((golden / "triposr" / "fields.json").read_text(encoding="utf-8"))
    return SceneField(scene_code, decoder, 0.87), arrays, facts[request.param]["scikit_image_on_raw_density"]


@pytest.fixture(scope="module")
def surface(case) -> Surface:
    return extract_surface(case[0].density, LEVEL, 256)


def test_density_is_the_official_one(case) -> None:
    field, arrays, _ = case
    np.testing.assert_allclose(field.density(arrays["points"]), arrays["density"], atol=1e-4)


def test_every_vertex_of_the_dense_grid_is_found(case, surface) -> None:
    """A vertex stands for a grid edge through the surface; some ten of 150,000 lie within rounding of the level."""
    assert abs(len(surface.vertices) - case[2]["vertices"]) <= 4
    assert abs(len(surface.faces) - case[2]["faces"]) <= 8


def test_topology_and_volume_are_those_of_the_dense_grid(case, surface) -> None:
    facts = case[2]
    assert len(surface.vertices) - len(surface.faces) // 2 == facts["euler"]
    assert label_components(surface.faces, len(surface.vertices))[0] == facts["components"]
    assert signed_volume(surface.vertices, surface.faces) == pytest.approx(abs(facts["signed_volume"]), rel=2e-4)


def test_surface_is_closed_with_a_tenth_of_the_points(surface) -> None:
    assert is_watertight(surface.faces)
    assert surface.evaluations < 256**3 / 10


def test_vertices_lie_on_the_surface_between_grid_points_too(case, surface) -> None:
    """Linear between grid points of the exponential, as the official code has it, the error is some ten times that."""
    raw = case[0].density(surface.vertices[::7])
    assert np.abs(raw - LEVEL).mean() < 0.02


def test_small_real_parts_stay(case, surface) -> None:
    assert keep_real_parts(surface.vertices, surface.faces)[2] == 0
