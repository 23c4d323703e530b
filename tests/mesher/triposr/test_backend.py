"""TripoSR as a backend, on a toy network with random weights."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.common.backends.backend_catalogue import Resources
from services.common.errors import InvalidOption, NoSubject, Overloaded, StageUnavailable
from services.common.models.manifest import Model, ModelFile, UrlSource, Variant
from services.common.models.model_store import ModelStore, StoredModel
from services.mesher.backends.base import FramedSubject, MeshOptions
from services.mesher.backends.catalogue import BACKENDS
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import is_watertight, signed_volume

THRESHOLD = 0.4  # the toy's random density rarely reaches 25


@pytest.fixture
def subject() -> FramedSubject:
    y, x = np.mgrid[:80, :80] - 39.5
    rgba = np.full((80, 80, 4), 200, np.uint8)
    rgba[..., 3] = np.where(np.hypot(x, y) < 34, 255, 0)
    return FramedSubject(rgba, None, Camera(200.0, 40.0, 40.0))


@pytest.fixture
def open_toy(toy_folder: Path) -> Callable[..., object]:
    store = {"triposr": StoredModel(toy_folder / "model.ckpt", "ab" * 32, "MIT")}
    return lambda name="triposr": BACKENDS.open(name, Resources(store.get))


def _mesh(backend, subject, progress=lambda *_: None, **options):
    return backend.mesh(subject, MeshOptions(**{"resolution": 32, "threshold": THRESHOLD} | options), progress)


def test_mesh_is_closed_outward_coloured_and_of_unit_size(open_toy, subject) -> None:
    mesh = _mesh(open_toy(), subject)
    assert is_watertight(mesh.faces)
    assert signed_volume(mesh.vertices, mesh.faces) > 0
    assert mesh.colours is not None
    assert mesh.colours.shape == mesh.vertices.shape
    assert np.ptp(mesh.vertices, axis=0).max() == pytest.approx(1)
    np.testing.assert_allclose(mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0), 0, atol=1e-9)


def test_mesh_turns_the_networks_axes_to_ours(open_toy, subject, monkeypatch) -> None:
    backend = open_toy()
    backend.load()

    class Slab:  # towards the camera (+x) a point, to the picture's right (+y) the longest, up (+z) in between
        radius = 0.87

        def density(self, p):
            return (10 * (1 - np.abs(p / [0.1, 0.6, 0.3]).max(axis=1))).astype(np.float32)

        def colour(self, p):
            return np.where(p[:, :1] > 0, (255, 0, 0), (0, 0, 255)).astype(np.uint8)

    monkeypatch.setattr(backend._network, "reconstruct_all", lambda _: [Slab()])
    mesh = _mesh(backend, subject, threshold=float(np.exp(-1)))
    width, height, depth = np.ptp(mesh.vertices, axis=0)
    assert width > height > depth
    front = mesh.vertices[:, 2] > 0.4 * depth
    assert (mesh.colours[front] == (255, 0, 0)).all()


def test_front_follows_depth_unless_that_is_not_wanted(open_toy, subject) -> None:
    y, x = np.mgrid[:80, :80] - 39.5
    bulge = np.sqrt(np.maximum(1 - (x**2 + y**2) / 35**2, 0))
    seen = FramedSubject(subject.rgba, (1 + 0.4 * bulge).astype(np.float32), subject.camera)
    backend = open_toy()
    alone, with_depth, unwanted = (
        _mesh(backend, picture, use_depth=wanted) for picture, wanted in ((subject, True), (seen, True), (seen, False))
    )
    assert any("front" in note for note in with_depth.notes)
    assert not any("front" in note for note in (*alone.notes, *unwanted.notes))
    np.testing.assert_array_equal(unwanted.vertices, alone.vertices)
    assert is_watertight(with_depth.faces)


def test_progress_grows_and_stops_the_work_when_it_raises(open_toy, subject) -> None:
    backend, seen = open_toy(), []
    _mesh(backend, subject, lambda step, share: seen.append((share, step)))
    assert [share for share, _ in seen] == sorted(share for share, _ in seen)
    assert {step for _, step in seen} == {"network", "surface", "colours"}

    def leave(step: str, share: float) -> None:
        if step == "surface":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _mesh(backend, subject, leave)


def test_threshold_of_the_density_is_a_level_of_the_raw_field(open_toy, subject, monkeypatch) -> None:
    backend = open_toy()
    backend.load()
    levels = []
    extract = sys.modules["services.mesher.backends.triposr"].extract_surface
    monkeypatch.setattr(
        "services.mesher.backends.triposr.extract_surface",
        lambda density, level, *more: levels.append(level) or extract(density, level, *more),
    )
    _mesh(backend, subject, threshold=0.3)
    with contextlib.suppress(NoSubject):
        _mesh(backend, subject, threshold=None)
    np.testing.assert_allclose(levels, [1 + np.log(0.3), 1 + np.log(25)])


def test_what_ran_is_reported_after_loading(open_toy) -> None:
    backend = open_toy("triposr?device=cpu&dtype=bfloat16")
    backend.load()
    assert (backend.name, backend.device, backend.dtype) == ("triposr", "cpu", "bfloat16")
    assert (backend.digest, backend.licence) == ("ab" * 32, "MIT")


def test_auto_takes_triposr_where_weights_and_torch_are_here(open_toy) -> None:
    assert open_toy("auto").name == "triposr"


def test_auto_takes_inflate_where_weights_are_missing() -> None:
    assert BACKENDS.open("auto", Resources()).name == "inflate"


def test_an_empty_cutout_is_no_subject(open_toy, subject) -> None:
    rgba = subject.rgba.copy()
    rgba[..., 3] = 0
    with pytest.raises(NoSubject, match="empty"):
        _mesh(open_toy(), FramedSubject(rgba, None, subject.camera))


def test_a_field_below_the_threshold_is_no_subject(open_toy, subject) -> None:
    with pytest.raises(NoSubject, match="lower threshold"):
        _mesh(open_toy(), subject, threshold=10_000.0)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_out_of_range_is_refused(open_toy, subject, threshold) -> None:
    with pytest.raises(InvalidOption, match="threshold"):
        _mesh(open_toy(), subject, threshold=threshold)


def test_a_full_accelerator_is_overload_and_not_a_defect(open_toy, subject, monkeypatch) -> None:
    import torch

    backend = open_toy()
    backend.load()

    def run_out(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backend._network, "reconstruct_all", run_out)
    with pytest.raises(Overloaded) as caught:
        _mesh(backend, subject)
    assert caught.value.retry_after_s


def test_a_device_that_is_not_here_is_named(open_toy, monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StageUnavailable, match="torch sees cpu"):
        open_toy("triposr?device=cuda").load()


@pytest.mark.parametrize(
    "name", ["triposr?dtype=int8", "triposr?speed=1", "triposr?dtype", "triposr?batch=0", "triposr?batch=many"]
)
def test_wrong_options_are_refused(name) -> None:
    with pytest.raises(InvalidOption):
        BACKENDS.open(name, Resources())


@pytest.mark.needs_torch
def test_missing_weights_say_how_to_get_them() -> None:
    with pytest.raises(StageUnavailable, match="unflat models pull triposr"):
        BACKENDS.open("triposr", Resources()).load()


def test_missing_torch_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StageUnavailable, match="pip install torch"):
        BACKENDS.open("triposr", Resources()).load()


@pytest.mark.slow
def test_backends_import_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import services.mesher.server"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_digest_of_a_stored_model_is_that_of_its_largest_file(tmp_path: Path) -> None:
    import hashlib

    contents = {"config.yaml": b"small", "model.ckpt": b"much larger"}
    files = []
    for name, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        files.append(ModelFile(name, (Variant(UrlSource("https://example.org"), "sha256", digest),)))
        (tmp_path / "toy").mkdir(exist_ok=True)
        (tmp_path / "toy" / name).write_bytes(content)
    store = ModelStore(tmp_path, {"toy": Model("toy", "mesher", "MIT", True, "", tuple(files))})
    found = store.find("toy")
    assert found is not None
    assert found.sha256 == hashlib.sha256(b"much larger").hexdigest()
    assert store.find("other") is None
