"""One photo in, one complete mesh out, through real gRPC services."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from services.common.drawing.mesh_file import read_mesh
from services.common.errors import ImageTooLarge, InvalidImage, InvalidOption, NoSubject
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from services.common.receipts import outcome_of
from tests.needs import SHARED
from unflat.v1 import orchestrator_pb2 as pb

pytestmark = pytest.mark.e2e
TRICKY = SHARED / "eval" / "tricky"


def _png(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def _body(data: bytes, form: str = "glb") -> trimesh.Trimesh:
    mesh = trimesh.load(io.BytesIO(data), file_type=form, force="mesh")
    mesh.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=6)
    return mesh


@pytest.mark.parametrize("name", ["mug", "plant", "vase"])
def test_every_example_becomes_a_closed_solid_with_colours(client, examples, name):
    made = client.generate_mesh((examples / f"{name}.jpg").read_bytes())
    mesh = _body(made.data)
    quality = made.receipt.mesh
    assert mesh.is_watertight
    assert mesh.volume > 0
    assert len(mesh.faces) <= 60_000
    assert not quality.flat, quality.verdict
    extents = mesh.extents
    assert extents.min() / extents.max() > 0.15, extents
    assert quality.silhouette_iou > 0.9
    _, _, colours = read_mesh(made.data, "glb")
    assert colours is not None
    assert np.ptp(colours.astype(int), axis=0).max() > 20, "the mesh has one colour only"


def test_receipt_says_what_ran_and_how_long(client, examples):
    receipt = client.generate_mesh((examples / "mug.jpg").read_bytes(), request_id="my-own-id").receipt
    assert receipt.request_id == "my-own-id"
    stages = {stage.stage: stage for stage in receipt.stages}
    assert set(stages) == {"segmentation", "depth", "mesher"}
    assert stages["segmentation"].report.backend == "grabcut"
    assert stages["depth"].report.backend.startswith("onnx:")
    assert stages["mesher"].report.backend == "inflate"
    assert all(stage.report.timings.compute_s > 0 for stage in receipt.stages)
    assert {"decode", "fuse", "cutout", "frame"} <= {step.step for step in receipt.steps}
    assert receipt.total_s > 0
    assert not receipt.degraded


def test_progress_grows_to_one_result(client, examples):
    events = list(
        client.stream_mesh((examples / "mug.jpg").read_bytes(), mask=MaskOptions(depth=False), mesh=MeshOptions())
    )
    fractions = [event.fraction for event in events[:-1]]
    assert len(fractions) > 5
    assert fractions == sorted(fractions)
    assert events[-1].data.startswith(b"glTF")


def test_without_depth_the_answer_is_the_same_as_with_depth_killed(local_services, client, examples):
    photo = (examples / "vase.jpg").read_bytes()
    without = client.generate_mesh(photo, mask=MaskOptions(depth=False))
    assert outcome_of(without.receipt, "depth") == "DISABLED"
    assert not without.receipt.degraded
    depth = local_services.processes["depth"]
    os.kill(depth.popen.pid, signal.SIGKILL)
    depth.popen.wait()
    try:
        killed = client.generate_mesh(photo)
        assert outcome_of(killed.receipt, "depth") == "UNAVAILABLE"
        assert killed.receipt.degraded
        assert any("made without depth" in warning for warning in killed.receipt.warnings)
        # Sums in threads may differ in their last bit, which a mesh's thinning can turn into another triangle.
        assert killed.receipt.mesh.faces == pytest.approx(without.receipt.mesh.faces, rel=0.01)
        assert killed.receipt.mesh.volume == pytest.approx(without.receipt.mesh.volume, rel=1e-3)
        assert np.allclose(_body(killed.data).bounds, _body(without.data).bounds, atol=1e-3)
        assert hashlib.sha256(killed.cutout).digest() == hashlib.sha256(without.cutout).digest()
    finally:
        local_services.wait_for(local_services.launch("depth", depth.port))
    deadline = time.monotonic() + 20
    while outcome_of(client.remove_background(photo).receipt, "depth") != "OK":
        assert time.monotonic() < deadline, "depth is back but not used"


def test_a_supplied_mask_and_depth_replace_their_stages(client, examples):
    photo = (examples / "mug.jpg").read_bytes()
    height, width = np.asarray(Image.open(io.BytesIO(photo))).shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    disc = np.hypot(x - width / 2, y - height / 2) < height / 3
    archive = io.BytesIO()
    np.savez(archive, depth=(1 - np.hypot(x - width / 2, y - height / 2) / width).astype(np.float32))
    asked = MaskOptions(mask=_png(disc.astype(np.uint8) * 255), depth_map=archive.getvalue())
    made = client.remove_background(photo, mask=asked, cutout=CutoutOptions(mask_only=True))
    assert outcome_of(made.receipt, "segmentation") == "SUPPLIED"
    assert outcome_of(made.receipt, "depth") == "SUPPLIED"
    mask = np.asarray(Image.open(io.BytesIO(made.data)))
    assert np.mean((mask > 127) == disc) > 0.999


def test_an_inverted_mask_is_turned_over_and_said(client, examples):
    photo = (examples / "mug.jpg").read_bytes()
    height, width = np.asarray(Image.open(io.BytesIO(photo))).shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    outside = np.hypot(x - width / 2, y - height / 2) > height / 4
    asked = MaskOptions(mask=_png(outside.astype(np.uint8) * 255), depth=False)
    made = client.remove_background(photo, mask=asked, cutout=CutoutOptions(mask_only=True))
    mask = np.asarray(Image.open(io.BytesIO(made.data)))
    assert mask[height // 2, width // 2] == 255
    assert mask[2, 2] == 0
    assert any("turned over" in warning for warning in made.receipt.warnings)


def test_a_photo_that_is_already_cut_keeps_its_own_alpha(client):
    y, x = np.mgrid[0:200, 0:240]
    alpha = np.clip(80.5 - np.hypot(x - 120, y - 100), 0, 1)
    rgb = np.stack([x, y, np.full_like(x, 80)], axis=2)
    photo = _png(np.dstack([rgb, np.rint(alpha * 255)]).astype(np.uint8))
    made = client.remove_background(photo)
    assert made.receipt.mask.source == pb.MASK_SOURCE_OWN_ALPHA
    out = np.asarray(Image.open(io.BytesIO(made.data)))
    assert np.abs(out[:, :, 3] / 255.0 - alpha).max() <= 1 / 255
    assert client.generate_mesh(photo).receipt.mesh.watertight


@pytest.mark.parametrize(
    ("form", "texture"),
    [("glb", "vertex"), ("glb", "baked"), ("obj", "vertex"), ("obj", "baked"), ("ply", "vertex"), ("stl", "vertex")],
)
def test_every_mesh_format_is_written_and_read_again(client, examples, form, texture):
    asked = MeshOptions(format=form, texture=texture, resolution=48, texture_resolution=256)
    made = client.generate_mesh((examples / "vase.jpg").read_bytes(), mask=MaskOptions(depth=False), mesh=asked)
    data, kind = made.data, form
    if data.startswith(b"PK"):
        import zipfile

        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            assert {Path(name).suffix for name in names} == {".obj", ".mtl", ".png"}
            data = archive.read(next(name for name in names if name.endswith(".obj")))
    assert _body(data, kind).is_watertight


def test_photo_metadata_reaches_the_cutout(client, examples):
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.open(examples / "vase.jpg").save(out, "JPEG", exif=exif, quality=90)
    made = client.remove_background(out.getvalue(), mask=MaskOptions(depth=False, preset="fast"))
    cutout = Image.open(io.BytesIO(made.data))
    stored = Image.open(examples / "vase.jpg").size
    assert cutout.size == stored[::-1]
    assert cutout.getexif()[0x010F] == "Camera maker"
    assert cutout.getexif()[0x0112] == 1


@pytest.mark.parametrize(
    ("photo", "asked", "error", "said"),
    [
        (b"", {}, InvalidImage, "empty"),
        (b"not a picture", {}, InvalidImage, "not a picture"),
        (_png(np.full((300, 300, 3), 127, np.uint8)), {}, NoSubject, ""),
        (_png(np.zeros((4, 400, 3), np.uint8)), {}, InvalidImage, "at least 8 px"),
        (None, {"kernel_size": 9}, InvalidOption, "kernel_size"),
        (None, {"depth_percentile": 120.0}, InvalidOption, "depth_percentile"),
        (None, {"mask": b"junk"}, InvalidImage, "not a picture"),
    ],
    ids=["empty", "text", "grey wall", "strip", "kernel", "percentile", "mask"],
)
def test_bad_input_is_refused_with_one_sentence(client, examples, photo, asked, error, said):
    data = (examples / "mug.jpg").read_bytes() if photo is None else photo
    with pytest.raises(error) as caught:
        client.remove_background(data, mask=MaskOptions(**asked))
    assert said in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.needs_shared
def test_tricky_files_end_as_expected_and_no_process_dies(local_services, client):
    before = {name: process.popen.pid for name, process in local_services.processes.items()}
    expected = json.loads((TRICKY / "EXPECTED.json").read_text())["files"]
    kinds = {"undecodable": InvalidImage, "empty": InvalidImage, "too_small": InvalidImage, "too_large": ImageTooLarge}
    wrong = []
    for name, entry in expected.items():
        data = (TRICKY / name).read_bytes()
        try:
            made = client.remove_background(data, mask=MaskOptions(depth=False, preset="fast"))
        except (InvalidImage, NoSubject) as problem:
            wanted = kinds.get(entry.get("reason", ""), NoSubject)
            if entry["expect"] == "ok" and not entry.get("optional"):
                wrong.append(f"{name}: refused, {problem.message}")
            elif entry["expect"] == "refuse" and not isinstance(problem, wanted):
                wrong.append(f"{name}: {type(problem).__name__}, wanted {wanted.__name__}")
            continue
        if entry["expect"] == "refuse":
            wrong.append(f"{name}: answered, wanted {entry['reason']}")
        elif Image.open(io.BytesIO(made.data)).size != (entry["width"], entry["height"]):
            wrong.append(f"{name}: {Image.open(io.BytesIO(made.data)).size}")
        elif entry.get("own_alpha", is_own := made.receipt.mask.source == pb.MASK_SOURCE_OWN_ALPHA) != is_own:
            wrong.append(f"{name}: own alpha is {is_own}")
    assert not wrong
    assert before == {name: p.popen.pid for name, p in local_services.processes.items() if p.popen.poll() is None}
