"""The real ISNet, fetched as a user would fetch it, through real services; skipped where no source answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.client import Client
from services.common.errors import StageUnavailable
from services.common.models.manifest import BY_NAME
from services.common.models.model_store import ModelStore
from services.common.models.pull import pull
from services.common.options import CutoutOptions, MaskOptions

pytestmark = [pytest.mark.e2e, pytest.mark.weights]
FIXED = Path(__file__).resolve().parents[2] / "evaluation" / "fixed"
SCENES = ("p0208_mug", "p0209_vase", "p0213_teapot")


@pytest.fixture(scope="module")
def real_client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A system whose segmentation runs ISNet; the weights stay in pytest's cache for the next run."""
    store = ModelStore(Path(request.config.cache.mkdir("models")))
    try:
        pull(store, BY_NAME["isnet-general-use"], 240.0, lambda *_: None)
    except StageUnavailable as problem:
        pytest.skip(f"ISNet is not to be had here: {problem.message}")
    with (
        LocalServices(LocalServicesOptions(environment={"UNFLAT_MODELS": str(store.folder)})) as stack,
        Client(stack.address) as client,
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
