"""POST /remove-bg and /generate-mesh: options in, pictures, meshes and receipts out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from services.common.errors import Internal, InvalidImage, NoSubject, Overloaded, StageUnavailable
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from unflat.v1 import orchestrator_pb2 as pb


def test_remove_bg_defaults_to_the_fast_preset_without_depth(house, photo):
    answer = house.http.post("/remove-bg", files={"file": ("test.jpg", photo)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == house.orchestrator.png
    assert house.last()["photo"] == photo
    assert house.last()["mask"] == MaskOptions(preset="fast", depth=False)
    assert house.last()["cutout"] == CutoutOptions()


def test_generate_mesh_defaults_to_depth_and_glb(house, photo):
    answer = house.http.post("/generate-mesh", files={"file": ("test.jpg", photo)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "model/gltf-binary")
    assert answer.headers["content-disposition"] == 'attachment; filename="test.glb"'
    assert house.last()["mask"] == MaskOptions(preset="balanced", depth=True)
    assert house.last()["mesh"] == MeshOptions()


def test_every_mask_option_reaches_the_orchestrator(house, photo):
    form = {
        "preset": "quality",
        "strategy": "union",
        "depth_percentile": "35",
        "depth": "on",
        "depth_wait_s": "1.5",
        "use_grabcut": "true",
        "remove_small_components": "false",
        "kernel_size": "5",
        "blur_size": "3",
        "depth_quality": "high",
        "model": "u2netp",
    }
    mask, depth_map = _png(np.eye(16, 24) * 255), _png(np.tile(np.arange(24.0), (16, 1)))
    files = {"file": photo, "mask": mask, "depth_map": depth_map}
    assert house.http.post("/remove-bg", files=files, data=form).status_code == 200
    assert house.last()["mask"] == MaskOptions(
        preset="quality",
        strategy="union",
        depth_percentile=35.0,
        depth=True,
        depth_wait_s=1.5,
        use_grabcut=True,
        remove_small_components=False,
        kernel_size=5,
        blur_size=3,
        depth_quality="high",
        model="u2netp",
        mask=mask,
        depth_map=depth_map,
    )


def _png(grey):
    out = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_every_cutout_option_reaches_the_orchestrator(house, photo):
    form = {
        "format": "webp",
        "background": "#102030",
        "mask_only": "true",
        "matting": "on",
        "foreground_threshold": "240",
        "background_threshold": "10",
        "erode_size": "7",
    }
    house.http.post("/remove-bg", files={"file": photo}, data=form)
    assert house.last()["cutout"] == CutoutOptions(
        format="webp",
        background=(16, 32, 48),
        mask_only=True,
        matting=True,
        foreground_threshold=240,
        background_threshold=10,
        erode_size=7,
    )


def test_every_mesh_option_reaches_the_orchestrator(house, photo):
    form = {
        "format": "stl",
        "texture": "baked",
        "resolution": "128",
        "threshold": "25.5",
        "texture_resolution": "512",
        "use_depth": "false",
        "size_mm": "80.5",
        "faces": "5000",
        "smooth": "4",
        "placement": "standing",
    }
    house.http.post("/generate-mesh", files={"file": photo}, data=form)
    assert house.last()["mesh"] == MeshOptions(
        format="stl",
        texture="baked",
        resolution=128,
        threshold=25.5,
        texture_resolution=512,
        use_depth=False,
        size_mm=80.5,
        faces=5000,
        smooth=4,
        placement="standing",
    )


@pytest.mark.parametrize("off", ["off", "false", "0", "no"])
def test_depth_can_be_switched_off(house, photo, off):
    house.http.post("/generate-mesh", files={"file": photo}, data={"depth": off})
    assert house.last()["mask"].depth is False


@pytest.mark.parametrize("field", ["background", "bgc"])
def test_background_goes_by_both_names(house, photo, field):
    house.http.post("/remove-bg", files={"file": photo}, data={field: "255,0,10"})
    assert house.last()["cutout"].background == (255, 0, 10)


def test_accept_chooses_the_format_and_a_form_field_goes_before_it(house, photo):
    accept = {"Accept": "image/webp"}
    answer = house.http.post("/remove-bg", files={"file": photo}, headers=accept)
    assert (house.last()["cutout"].format, answer.headers["content-type"]) == ("webp", "image/webp")
    house.http.post("/remove-bg", files={"file": photo}, headers=accept, data={"format": "jpg"})
    assert house.last()["cutout"].format == "jpeg"


@pytest.mark.parametrize(
    ("form", "data", "media_type", "name"),
    [
        ("obj", b"# text", "model/obj", "a.obj"),
        ("obj", b"PK\x03\x04zip", "application/zip", "a.zip"),
        ("ply", b"ply", "application/octet-stream", "a.ply"),
        ("stl", b"stl", "model/stl", "a.stl"),
    ],
)
def test_mesh_formats_have_their_media_types_and_names(house, photo, form, data, media_type, name):
    house.orchestrator.mesh = data
    answer = house.http.post("/generate-mesh", files={"file": ("a.jpg", photo)}, data={"format": form})
    assert answer.headers["content-type"] == media_type
    assert f'filename="{name}"' in answer.headers["content-disposition"]


def test_receipt_is_summed_up_in_headers(house, photo):
    house.orchestrator.depth = pb.OUTCOME_UNAVAILABLE
    house.orchestrator.warnings = ["made without depth: it did not answer", "the mask’s polarity was turned\n"]
    house.orchestrator.verdict = "flat – the mask leaks"
    answer = house.http.post("/generate-mesh", files={"file": photo})
    assert answer.headers["x-unflat-degraded"] == "true"
    assert answer.headers["x-unflat-depth"] == "UNAVAILABLE"
    assert answer.headers["x-unflat-warning"] == (
        "made without depth: it did not answer; the mask's polarity was turned"
    )
    assert answer.headers["x-unflat-backends"] == "segmentation=grabcut"
    assert answer.headers["x-unflat-verdict"] == "flat - the mask leaks"


def test_whole_receipt_is_served_under_the_request_id(house, photo):
    answer = house.http.post("/remove-bg", files={"file": photo}, headers={"X-Request-Id": "mine-1"})
    assert answer.headers["x-unflat-request-id"] == answer.headers["x-request-id"] == "mine-1"
    receipt = house.http.get(answer.headers["x-unflat-receipt"]).json()
    assert receipt["request_id"] == house.last()["request_id"] == "mine-1"
    assert [stage["outcome"] for stage in receipt["stages"]] == ["OK", "DISABLED"]


def test_unknown_receipt_is_a_404_problem(house):
    answer = house.http.get("/receipts/none")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("route", ["/remove-bg", "/generate-mesh"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidImage("no picture", field="file"), 400, "INVALID_IMAGE"),
        (NoSubject("a blank wall"), 422, "NO_SUBJECT"),
        (Overloaded("busy", retry_after_s=1.5), 429, "OVERLOADED"),
        (StageUnavailable("gone"), 503, "STAGE_UNAVAILABLE"),
        (Internal("sorry"), 500, "INTERNAL"),
    ],
)
def test_errors_of_the_house_are_problems_with_a_request_id(house, photo, route, error, status, code):
    house.orchestrator.error = error
    answer = house.http.post(route, files={"file": photo})
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"] == error.message
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    ("route", "form", "field"),
    [
        ("/remove-bg", {"preset": "best"}, "preset"),
        ("/remove-bg", {"strategy": "magic"}, "strategy"),
        ("/remove-bg", {"depth_percentile": "0"}, "depth_percentile"),
        ("/remove-bg", {"depth_percentile": "nan"}, "depth_percentile"),
        ("/remove-bg", {"depth": "maybe"}, "depth"),
        ("/remove-bg", {"kernel_size": "4"}, "kernel_size"),
        ("/remove-bg", {"blur_size": "9"}, "blur_size"),
        ("/remove-bg", {"format": "bmp"}, "format"),
        ("/remove-bg", {"background": "red"}, "background"),
        ("/remove-bg", {"bgc": "1,2,256"}, "bgc"),
        ("/remove-bg", {"foreground_threshold": "256"}, "foreground_threshold"),
        ("/remove-bg", {"erode_size": "99999999999"}, "erode_size"),
        ("/generate-mesh", {"format": "fbx"}, "format"),
        ("/generate-mesh", {"texture": "gold"}, "texture"),
        ("/generate-mesh", {"resolution": "16"}, "resolution"),
        ("/generate-mesh", {"threshold": "inf"}, "threshold"),
        ("/generate-mesh", {"texture_resolution": "100000"}, "texture_resolution"),
    ],
)
def test_bad_option_is_named_and_nothing_is_called(house, photo, route, form, field):
    answer = house.http.post(route, files={"file": photo}, data=form)
    assert (answer.status_code, answer.json()["field"], answer.json()["code"]) == (422, field, "INVALID_OPTION")
    assert not house.orchestrator.calls


def test_missing_file_is_named(house):
    answer = house.http.post("/remove-bg", files={"picture": b"x"})
    assert (answer.status_code, answer.json()["field"]) == (422, "file")


def test_empty_file_is_400(house):
    assert house.http.post("/remove-bg", files={"file": ("a.jpg", b"")}).status_code == 400


def test_empty_optional_parts_are_no_mask(house, photo):
    house.http.post("/remove-bg", files={"file": ("a.jpg", photo), "mask": ("", b"")})
    assert house.last()["mask"].mask == b""


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/json", None])
def test_body_that_is_no_form_is_415(house, photo, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = house.http.post("/remove-bg", content=photo, headers=headers)
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["detail"]


def test_openapi_names_every_option_with_its_default(house):
    document = house.http.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    form = next(schema for name, schema in schemas.items() if "remove_bg" in name)["properties"]
    assert form["preset"]["default"] == "fast"
    assert form["depth"]["default"] is False
    assert {"file", "mask", "depth_map", "strategy", "kernel_size", "bgc", "mask_only", "format"} <= set(form)
    rembg = document["paths"]["/api/remove"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "model", "a", "af", "ab", "ae", "om", "ppm", "dc", "vm", "bgc", "extras"} == set(
        rembg["properties"]
    )
