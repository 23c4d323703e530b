"""What the photo confirms of an outline, on a disc whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.orchestrator.gate.boundary_contrast import boundary_contrast
from tests.needs import SHARED

SCENES = SHARED / "eval" / "scenes"
SIDE = 240
Y, X = np.mgrid[0:SIDE, 0:SIDE]
DISC = np.hypot(X - 120, Y - 120) < 70
TRUE = DISC.astype(np.float32)


def _photo(subject: int = 200, noise: float = 8.0) -> np.ndarray:
    """A grey disc on a darker, restless ground."""
    ground = 90 + 30 * cv2.GaussianBlur(np.random.default_rng(0).standard_normal((SIDE, SIDE)), (0, 0), 3)
    grey = np.where(DISC, subject, ground) + noise * np.random.default_rng(1).standard_normal((SIDE, SIDE))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _wrong() -> dict[str, np.ndarray]:
    blob = np.hypot(X - 190, Y - 120) < 35
    grown = cv2.dilate(TRUE, np.ones((15, 15)))
    return {
        "leak": np.maximum(TRUE, blob),
        "missing part": TRUE * ~blob,
        "large": grown,
        "small": 1 - cv2.dilate(1 - TRUE, np.ones((15, 15))),
    }


@pytest.mark.parametrize("kind", ["leak", "missing part", "large", "small"])
def test_the_true_outline_is_confirmed_most(kind):
    wrong = _wrong()[kind].astype(np.float32)
    assert boundary_contrast(_photo(), TRUE) > boundary_contrast(_photo(), wrong) + 0.02


@pytest.mark.parametrize("mask", [np.zeros_like(TRUE), np.ones_like(TRUE)], ids=["nothing", "everything"])
def test_a_mask_without_an_outline_has_no_contrast(mask):
    assert boundary_contrast(_photo(), mask) == 0


def test_the_size_of_the_photo_hardly_matters():
    large = cv2.resize(_photo(noise=0), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(TRUE, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    assert boundary_contrast(large, mask) == pytest.approx(boundary_contrast(_photo(noise=0), TRUE), abs=0.1)


@pytest.mark.needs_shared
def test_on_rendered_photos_the_truth_has_more_contrast_than_a_leak_or_a_missing_part():
    random, right, asked = np.random.default_rng(0), 0, 0
    for folder in sorted(SCENES.iterdir())[::3]:
        rgb = cv2.cvtColor(cv2.imread(str(folder / "photo.jpg")), cv2.COLOR_BGR2RGB)
        truth = cv2.imread(str(folder / "alpha.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        edge = np.argwhere(cv2.morphologyEx((truth > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))))
        y, x = edge[random.integers(len(edge))]
        blob = np.zeros_like(truth)
        cv2.circle(blob, (int(x), int(y)), int(0.25 * np.sqrt(np.count_nonzero(truth > 0.5))), 1.0, -1)
        contrast = boundary_contrast(rgb, truth)
        for wrong in (np.maximum(truth, blob), truth * (1 - blob)):
            right, asked = right + (contrast > boundary_contrast(rgb, wrong)), asked + 1
    assert right >= 0.85 * asked, f"{right} of {asked}"
