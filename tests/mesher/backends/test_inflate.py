"""The embedded mesher behind the interface of all meshers."""

from __future__ import annotations

import numpy as np
import pytest

from services.mesher.backends.base import FramedSubject, MeshOptions
from services.mesher.backends.inflate import InflateBackend
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import is_watertight


@pytest.fixture(scope="module")
def subject():
    y, x = np.mgrid[0:96, 0:96] - 47.5
    rgba = np.full((96, 96, 4), 150, np.uint8)
    rgba[:, :, 3] = np.where(np.hypot(x / 1.1 + 1.3, y + 0.7) < 33, 255, 0)
    depth = (1 + 0.3 * np.sqrt(np.clip(1 - (x**2 + y**2) / 1600, 0, 1)) + 0.001 * y).astype(np.float32)
    return FramedSubject(rgba, depth, Camera(260.0, 48.0, 48.0))


def _mesh(subject, **options):
    return InflateBackend().mesh(subject, MeshOptions(**options), lambda *_: None)


def test_more_resolution_means_more_faces_and_stays_closed(subject):
    coarse, fine = (_mesh(subject, resolution=cells, use_depth=False) for cells in (32, 128))
    assert len(coarse.faces) < len(fine.faces)
    assert is_watertight(coarse.faces)
    assert is_watertight(fine.faces)


@pytest.mark.parametrize("side", [64, 96, 192])
@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_symmetric_disc_whose_outline_runs_through_grid_points_is_closed(side, resolution):
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    rgba = np.full((side, side, 4), 150, np.uint8)
    rgba[:, :, 3] = np.where(np.hypot(x, y) < 0.4 * side, 255, 0)
    subject = FramedSubject(rgba, None, Camera(1.4 * side, side / 2, side / 2))
    assert is_watertight(_mesh(subject, resolution=resolution).faces)


def test_depth_that_is_not_wanted_changes_nothing(subject):
    without = FramedSubject(subject.rgba, None, subject.camera)
    one, other = _mesh(subject, use_depth=False), _mesh(without)
    assert np.allclose(one.vertices, other.vertices, atol=1e-4)


def test_progress_can_stop_the_work(subject):
    def stop(step: str, fraction: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        InflateBackend().mesh(subject, MeshOptions(), stop)
