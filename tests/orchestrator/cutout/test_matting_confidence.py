"""Matting is confident where the mask has sure surroundings."""

from __future__ import annotations

import numpy as np

from services.orchestrator.cutout.matting_confidence import matting_confidence


def test_edges_crisp_and_soft_have_full_confidence(disc_alpha):
    for softness in (1, 6):
        confidence = matting_confidence(disc_alpha((400, 400), 120, softness))
        assert confidence.min() > 0.8, f"softness {softness} px: {confidence.min():.2f}"


def test_grey_region_has_no_confidence(disc_alpha):
    alpha = disc_alpha((400, 400), 120) * np.float32(0.5)
    confidence = matting_confidence(alpha)
    assert confidence[200, 200] == 0.0
    assert confidence[5, 5] == 1.0


def test_confidence_does_not_depend_on_the_scale(disc_alpha):
    small = matting_confidence(disc_alpha((200, 200), 60, 30))
    large = matting_confidence(disc_alpha((800, 800), 240, 120))
    assert abs(float(small.mean()) - float(large.mean())) < 0.02


def test_wire_that_the_mask_is_sure_of_is_not_left_to_matting(disc_alpha):
    alpha = disc_alpha((768, 768), 200.0)
    alpha[383:386, :] = 1.0
    confidence = matting_confidence(alpha)
    assert confidence[384, 30] == 0.0
    assert confidence[184, 384] > 0.9, "the crisp edge of the disc has it all the same"
