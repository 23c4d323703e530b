"""The real ISNet through real services."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.options import CutoutOptions, MaskOptions
from services.common.settings import default_store

pytestmark = pytest.mark.e2e
FIXED = Path(__file__).resolve().parents[2] / "evaluation" / "fixed"
SCENES = ("p0208_mug", "p0209_vase", "p0213_teapot")


@pytest.fixture(scope="module")
def real_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A system whose segmentation runs ISNet, which is all that its store holds."""
    store = tmp_path_factory.mktemp("models")
    (store / "isnet-general-use").symlink_to(default_store() / "isnet-general-use")
    with (
        LocalServices(LocalServicesOptions(environment={"UNFLAT_MODELS": str(store)})) as local_services,
        Client(local_services.address) as client,
    ):
        yield client


@pytest.mark.parametrize("name", SCENES)
def test_isnet_finds_the_subject_of_a_scene_with_known_mask(real_client, name):
    photo = (FIXED / name / "photo.jpg").read_bytes()
    made = real_client.remove_background(photo, mask=MaskOptions(depth=False), cutout=CutoutOptions(mask_only=True))
    report = made.receipt.stages[0].report
    assert report.backend == "rembg:isnet-general-use"
    assert len(report.model_digest) == 64
    assert "Apache" in report.licence
    found = np.asarray(Image.open(io.BytesIO(made.data))) > 127
    truth = np.asarray(Image.open(FIXED / name / "alpha.png").convert("L")) > 127
    iou = (found & truth).sum() / (found | truth).sum()
    assert iou > 0.9, iou


def test_isnet_sees_through_the_handle_of_the_mug(real_client, examples):
    made = real_client.generate_mesh((examples / "mug.jpg").read_bytes(), mask=MaskOptions(depth=False))
    alpha = np.asarray(Image.open(io.BytesIO(made.cutout)))[:, :, 3]
    height, width = alpha.shape
    assert alpha[int(0.44 * height), int(0.66 * width)] < 20, "the handle's hole is filled"
    assert made.receipt.mesh.watertight
    assert made.receipt.mesh.silhouette_iou > 0.95
