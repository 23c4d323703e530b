"""A ball whose depth says that there is a bump or a dent gets it; useless depth changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from services.mesher.depth_guidance.follow_depth import follow_depth
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh, is_watertight, signed_volume

SIDE, RADIUS = 192, 70.0
BUMP = 0.08  # of the ball's diameter


@pytest.fixture
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(5, 0.5)
    return Mesh(np.asarray(sphere.vertices), np.asarray(sphere.faces, np.int32))


@pytest.fixture
def alpha() -> np.ndarray:
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    # The outline of the ball whose centre stands at the distance 1.6 × SIDE.
    distance = 1.6 * SIDE
    seen = distance * RADIUS / np.sqrt(distance**2 - RADIUS**2)
    return np.clip(seen - np.hypot(u - SIDE / 2, v - SIDE / 2) + 0.5, 0, 1).astype(np.float32)


def _depth(alpha: np.ndarray, bump: float = 0.0, noise: float = 0.0) -> np.ndarray:
    """Return the inverse depth of the ball before a far wall; the bump stands right of its middle."""
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    x, y = (u - SIDE / 2) / (1.6 * SIDE), (v - SIDE / 2) / (1.6 * SIDE)
    centre = 1.6 * SIDE
    squared = 1 + x**2 + y**2
    inside = np.maximum(centre**2 - squared * (centre**2 - RADIUS**2), 0)
    distance = (centre - np.sqrt(inside)) / squared
    distance -= bump * 2 * RADIUS * np.exp(-((u - 115) ** 2 + (v - 96) ** 2) / (2 * 12**2))
    distance += noise * 2 * RADIUS * np.random.default_rng(1).standard_normal(distance.shape)
    return np.where(alpha > 0.5, 3.0 + 200 / distance, 3.2).astype(np.float32)


@pytest.fixture
def camera() -> Camera:
    return Camera(1.6 * SIDE, SIDE / 2, SIDE / 2)


def _heights(before: Mesh, after: Mesh) -> np.ndarray:
    """Return how far each vertex has come towards the camera."""
    return after.vertices[:, 2] - before.vertices[:, 2]


@pytest.mark.parametrize("bump", [BUMP, -BUMP])
def test_bump_and_dent_come_where_depth_has_them_and_nowhere_else(ball, alpha, camera, bump):
    after = follow_depth(ball, _depth(alpha, bump), alpha, camera)
    height = _heights(ball, after)
    peak = int(np.argmax(np.abs(height)))
    assert ball.vertices[peak, 2] > 0.4
    assert 0.05 < ball.vertices[peak, 0] < 0.2
    assert abs(ball.vertices[peak, 1]) < 0.06
    assert 0.5 * BUMP < np.sign(bump) * height[peak] < 1.1 * BUMP
    away = (ball.vertices[:, 0] < -0.15) & (ball.vertices[:, 2] > 0)
    assert np.abs(height[away]).max() < 0.01
    assert "moved to where depth has it" in after.notes[-1]


@pytest.mark.parametrize("bump", [BUMP, -BUMP])
def test_the_back_stays_and_the_body_stays_closed_and_outward(ball, alpha, camera, bump):
    after = follow_depth(ball, _depth(alpha, bump), alpha, camera)
    back = ball.vertices[:, 2] < 0
    assert np.array_equal(after.vertices[back], ball.vertices[back])
    assert np.array_equal(after.faces, ball.faces)
    assert is_watertight(after.faces)
    assert np.sign(bump) * (signed_volume(after.vertices, after.faces) - signed_volume(ball.vertices, ball.faces)) > 0
    a, b, c = (after.vertices[after.faces[:, k]] for k in range(3))
    x, y, z = (ball.vertices[ball.faces[:, k]] for k in range(3))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), np.cross(y - x, z - x)) > 0).all()


def test_depth_that_agrees_moves_nothing_far(ball, alpha, camera):
    after = follow_depth(ball, _depth(alpha), alpha, camera)
    assert np.abs(_heights(ball, after)).max() < 0.005
    assert after.notes == ("depth agrees with the front",)


def test_noise_is_not_carved_into_the_surface(ball, alpha, camera):
    after = follow_depth(ball, _depth(alpha, noise=0.02), alpha, camera)
    assert np.abs(_heights(ball, after)).max() < 0.01


@pytest.mark.parametrize("kind", ["constant", "inverted", "foreign", "unseen"])
def test_useless_depth_leaves_every_vertex(ball, alpha, camera, kind):
    own = _depth(alpha, BUMP)
    ramp = np.linspace(1, 9, SIDE, dtype=np.float32)
    depth = {
        "constant": np.full_like(own, 2.0),
        "inverted": own.max() - own + 0.1,
        "foreign": np.ascontiguousarray(np.broadcast_to(np.abs(np.sin(ramp)) + 1, own.shape)).astype(np.float32),
        "unseen": np.full_like(own, np.nan),
    }[kind]
    after = follow_depth(ball, depth, alpha, camera)
    assert np.array_equal(after.vertices, ball.vertices)
    assert "stays as it is" in after.notes[-1]


def test_a_thin_shell_is_never_pushed_through_its_back(ball, alpha, camera):
    thin, deep = 0.12, 0.2
    bulge = 0.25 * np.sqrt(np.maximum(0.3 - ball.vertices[:, 0] ** 2 - ball.vertices[:, 1] ** 2, 0))
    points = ball.vertices * (1, 1, thin) + np.stack([0 * bulge, 0 * bulge, bulge], axis=1)
    shell = Mesh(points, ball.faces)
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    x, y = (u - SIDE / 2) / (2 * RADIUS), (v - SIDE / 2) / (2 * RADIUS)
    front = 0.5 * thin * np.sqrt(np.maximum(1 - 4 * (x**2 + y**2), 0)) + 0.25 * np.sqrt(
        np.maximum(0.3 - x**2 - y**2, 0)
    )
    dented = 2.0 - front + deep * np.exp(-((u - 96) ** 2 + (v - 96) ** 2) / (2 * 9**2))
    depth = np.where(alpha > 0.5, 3 + 2 / dented, 3.3).astype(np.float32)
    after = follow_depth(shell, depth, alpha, camera)
    pushed = (points - after.vertices)[:, 2].max()
    assert 0.04 < pushed < 0.65 * thin
    assert signed_volume(after.vertices, after.faces) > 0


def test_a_mesh_of_any_size_is_treated_alike(ball, alpha, camera):
    large = Mesh(1000 * ball.vertices + 7, ball.faces)
    one, other = (follow_depth(mesh, _depth(alpha, BUMP), alpha, camera) for mesh in (ball, large))
    np.testing.assert_allclose(1000 * one.vertices + 7, other.vertices, atol=0.5)


def test_nothing_at_all_stays_nothing(alpha, camera):
    empty = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    assert follow_depth(empty, _depth(alpha), alpha, camera) is empty
