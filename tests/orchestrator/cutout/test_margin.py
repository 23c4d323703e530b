"""A mask that grows or shrinks by so many pixels of the photo."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from services.orchestrator.cutout.cut import CutoutOptions, cut_out, grow
from services.orchestrator.request_options import parse_encoding, parse_request_options
from tests.orchestrator.stand_ins import DISC, PHOTO, Bench
from unflat.v1 import orchestrator_pb2 as pb

_Y, _X = np.mgrid[0:301, 0:401]
_FROM_CENTRE = np.hypot(_X - 200, _Y - 150)


def _soft_disc(radius: float, width: float = 6.0) -> np.ndarray:
    return np.clip((radius - _FROM_CENTRE) / width + 0.5, 0, 1).astype(np.float32)


def test_no_margin_changes_nothing():
    alpha = _soft_disc(60)
    assert grow(alpha, 0) is alpha


@pytest.mark.parametrize("margin_px", [1, 4, 10, -1, -7, 25, -25, 80, -50])
def test_a_disc_becomes_a_disc_of_that_much_more_or_less(margin_px):
    grown = grow(_soft_disc(70), margin_px)
    radius = np.sqrt(grown.sum() / np.pi)
    assert radius == pytest.approx(70 + margin_px, abs=max(0.35, 0.03 * abs(margin_px)))


@pytest.mark.parametrize("margin_px", [3, -3, 10])
def test_a_soft_edge_moves_and_stays_as_soft(margin_px):
    row = grow(_soft_disc(70), margin_px)[150, 200:]
    wanted = _soft_disc(70 + margin_px)[150, 200:]
    assert np.abs(row - wanted).max() < 1e-6, "along an axis, the disc moves the edge by whole pixels"


def test_what_a_margin_takes_is_not_taken_from_the_border():
    alpha = np.ones((40, 60), np.float32)
    alpha[:, 30:] = 0
    assert np.array_equal(grow(alpha, -5)[:, 0], np.ones(40)), "the subject goes on beyond the picture"
    assert grow(alpha, -5).sum() == 40 * 25
    assert grow(alpha, 5).sum() == 40 * 35


def test_growing_never_takes_and_shrinking_never_gives():
    rng = np.random.default_rng(3)
    alpha = rng.random((80, 90)).astype(np.float32)
    before = alpha.copy()
    assert (grow(alpha, 4) >= alpha).all()
    assert (grow(alpha, -4) <= alpha).all()
    assert np.array_equal(alpha, before)


def test_the_cutout_has_the_margin_after_matting_and_before_its_colours(composite, disc_alpha):
    scene = composite(disc_alpha((120, 160), 40, 8))
    plain = cut_out(scene.photo, scene.alpha, CutoutOptions())
    wide = cut_out(scene.photo, scene.alpha, CutoutOptions(margin_px=6))
    assert np.array_equal(wide.alpha, grow(plain.alpha, 6))
    assert not np.array_equal(wide.foreground, plain.foreground)
    assert cut_out(scene.photo, scene.alpha, CutoutOptions(margin_px=-6)).alpha.mean() < plain.alpha.mean()


@pytest.mark.parametrize("mask_only", [False, True])
def test_cutout_mask_and_the_mask_beside_have_the_margin_that_a_request_asks_for(mask_only):
    bench, fast = Bench(), pb.MaskOptions(segmentation={"preset": "PRESET_FAST"}, depth=False)
    asked = pb.CutoutOptions(margin_px=8, with_mask=True, mask_only=mask_only)
    options, encoding = parse_request_options(fast, asked), parse_encoding(asked)
    made = asyncio.run(
        bench.pipeline().remove_background(
            pb.Photo(file=PHOTO), options, encoding, bench.run(), mask_only=mask_only, debug=False
        )
    )
    wanted = grow(DISC.astype(np.float32), 8) > 0.5
    for picture in (made.image, made.mask):
        alpha = np.asarray(Image.open(io.BytesIO(picture)).split()[-1])
        assert np.mean((alpha > 127) != wanted) < 0.01
