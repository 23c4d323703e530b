"""The mesher's glue: what is checked, what is streamed, what happens when the caller leaves."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from services.common.backends.backend_catalogue import Resources
from services.common.backends.batching import GPU_BATCH
from services.common.drawing.mesh_file import read_mesh
from services.common.errors import InvalidImage, InvalidOption
from services.common.options import MeshOptions, fill
from services.common.options.proto import from_proto
from services.common.serving.admission import Admission
from services.common.wire import depth_to_proto, image_to_proto
from services.mesher.backends import base
from services.mesher.backends.catalogue import BACKENDS
from services.mesher.server import (
    MesherServicer,
    MesherSettings,
    _with_progress,
    share_gpu,
)
from unflat.v1 import mesher_pb2 as pb

SIDE = 64


class _Context:
    """A call whose caller is there until the test says otherwise."""

    def __init__(self) -> None:
        self.active = True

    def is_active(self) -> bool:
        return self.active

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def add_callback(self, callback) -> None:
        pass


def _request(**rest: object) -> pb.MesherServiceGenerateMeshRequest:
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    rgba = np.full((SIDE, SIDE, 4), 150, np.uint8)
    rgba[:, :, 3] = np.where(np.hypot(x, y) < 26, 255, 0)
    values = {"frame": image_to_proto(rgba), "camera": pb.Camera(focal_px=150, cx=32, cy=32)}
    values["options"] = pb.MeshOptions(resolution=32)
    return pb.MesherServiceGenerateMeshRequest(**(values | rest))


def _mesh(request: pb.MesherServiceGenerateMeshRequest, context: _Context | None = None):
    backend = BACKENDS.open("inflate", Resources())
    backend.load()
    servicer = MesherServicer(SimpleNamespace(get=lambda: backend), Admission("mesher", 1, 1))
    return servicer.GenerateMesh(request, context or _Context())


def test_progress_grows_to_one_result_that_says_what_ran():
    events = list(_mesh(_request()))
    fractions = [event.progress.fraction for event in events[:-1]]
    assert fractions == sorted(fractions)
    assert len(fractions) > 2
    result = events[-1].result
    assert result.mesh.startswith(b"glTF")
    assert result.format == pb.MESH_FORMAT_GLB
    assert result.report.backend == "inflate"
    assert result.report.timings.compute_s > 0
    assert result.quality.watertight


@pytest.mark.parametrize(("form", "magic"), [("OBJ", b""), ("PLY", b"ply"), ("STL", b"")])
def test_the_format_is_the_one_asked_for(form, magic):
    number = pb.MeshFormat.Value(f"MESH_FORMAT_{form}")
    result = list(_mesh(_request(options=pb.MeshOptions(resolution=32, format=number))))[-1].result
    assert result.format == number
    assert result.mesh.startswith(magic)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"frame": image_to_proto(np.zeros((64, 32, 4), np.uint8))}, "frame"),
        ({"frame": image_to_proto(np.zeros((64, 64, 3), np.uint8))}, "frame"),
        ({"depth": depth_to_proto(np.ones((32, 32), np.float32))}, "depth"),
        ({"camera": pb.Camera(focal_px=0, cx=32, cy=32)}, "camera.focal_px"),
        ({"camera": pb.Camera(focal_px=float("nan"), cx=32, cy=32)}, "camera.focal_px"),
        ({"camera": pb.Camera(focal_px=100, cx=float("inf"), cy=32)}, "camera"),
        ({"options": pb.MeshOptions(resolution=4)}, "resolution"),
        ({"options": pb.MeshOptions(texture_resolution=1)}, "texture_resolution"),
        ({"options": pb.MeshOptions(texture_resolution=8192)}, "texture_resolution"),
        ({"options": pb.MeshOptions(format=99)}, "format"),
        ({"options": pb.MeshOptions(size_mm=0)}, "size_mm"),
        ({"options": pb.MeshOptions(size_mm=float("nan"))}, "size_mm"),
        ({"options": pb.MeshOptions(faces=5)}, "faces"),
        ({"options": pb.MeshOptions(smooth=1000)}, "smooth"),
        ({"options": pb.MeshOptions(placement=9)}, "placement"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_its_field(change, field):
    with pytest.raises((InvalidImage, InvalidOption)) as caught:
        list(_mesh(_request(**change)))
    assert caught.value.field == field


@pytest.mark.parametrize(("form", "unit"), [("GLB", 0.001), ("PLY", 1.0)])
def test_size_place_and_faces_are_those_asked_for_and_said(form, unit):
    number = pb.MeshFormat.Value(f"MESH_FORMAT_{form}")
    options = {"size_mm": 80, "faces": 900, "smooth": 3, "placement": pb.MESH_PLACEMENT_STANDING}
    result = list(_mesh(_request(options=pb.MeshOptions(resolution=48, format=number, **options))))[-1].result
    vertices, faces, _ = read_mesh(result.mesh, form.lower())
    assert len(faces) == result.quality.faces <= 900
    assert np.ptp(vertices, axis=0).max() == pytest.approx(80 * unit, rel=1e-5)
    assert vertices[:, 1].min() == pytest.approx(0, abs=1e-5 * unit)
    assert result.quality.watertight
    assert [note.split()[0] for note in result.report.notes] == ["smoothed", "simplified"]


def test_unset_options_are_the_backends_own():
    def read(message):
        return fill(base.MeshOptions(), from_proto(MeshOptions, message))

    assert read(pb.MeshOptions()) == base.MeshOptions()
    assert not read(pb.MeshOptions(use_depth=False)).use_depth


def test_what_the_computing_thread_raises_is_raised_to_the_caller():
    def broken(emit):
        emit(pb.MesherServiceGenerateMeshResponse(progress=pb.StageProgress(step="begun")))
        raise ZeroDivisionError

    events = _with_progress(broken)
    assert next(events).progress.step == "begun"
    with pytest.raises(ZeroDivisionError):
        next(events)


def test_a_caller_that_leaves_gives_the_slot_back_only_when_the_work_has_stopped():
    go_on, ended = threading.Event(), threading.Event()

    def work(emit):
        emit(pb.MesherServiceGenerateMeshResponse(progress=pb.StageProgress(step="begun")))
        go_on.wait(20)
        ended.set()
        return pb.MesherServiceGenerateMeshResponse(result=pb.MesherResult())

    events = _with_progress(work)
    next(events)
    go_on.set()
    events.close()
    assert ended.is_set()


@pytest.mark.parametrize(
    ("backend", "gpus", "concurrency", "wanted"),
    [
        ("triposr", 1, 1, GPU_BATCH),
        ("triposr", 0, 1, 1),
        ("triposr", 1, 3, 3),
        ("inflate", 1, 1, 1),
        ("no such mesher", 1, 1, 1),
    ],
)
def test_a_gpu_is_filled_by_calls_side_by_side_where_the_mesher_batches(backend, gpus, concurrency, wanted):
    settings = MesherSettings(backend=backend, concurrency=concurrency)
    assert share_gpu(settings, Resources(), gpus).concurrency == wanted


def test_the_receipt_says_how_the_backend_runs():
    backend = BACKENDS.open("inflate", Resources())
    backend.notes = ("made of thin air",)
    servicer = MesherServicer(SimpleNamespace(get=lambda: backend), Admission("mesher", 1, 1))
    result = list(servicer.GenerateMesh(_request(), _Context()))[-1].result
    assert result.report.notes[0] == "made of thin air"
