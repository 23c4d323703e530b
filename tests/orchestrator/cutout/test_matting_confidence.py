"""Matting is trusted where the mask has sure surroundings."""

from __future__ import annotations

import numpy as np

from services.orchestrator.cutout.matting_confidence import matting_confidence


def test_edges_crisp_and_soft_are_trusted(disc_alpha):
    for softness in (1, 6):
        trust = matting_confidence(disc_alpha((400, 400), 120, softness))
        assert trust.min() > 0.8, f"softness {softness} px: {trust.min():.2f}"


def test_grey_plateau_is_not_trusted(disc_alpha):
    alpha = disc_alpha((400, 400), 120) * np.float32(0.5)
    trust = matting_confidence(alpha)
    assert trust[200, 200] == 0.0
    assert trust[5, 5] == 1.0


def test_trust_does_not_depend_on_the_scale(disc_alpha):
    small = matting_confidence(disc_alpha((200, 200), 60, 30))
    large = matting_confidence(disc_alpha((800, 800), 240, 120))
    assert abs(float(small.mean()) - float(large.mean())) < 0.02


def test_wire_that_the_mask_is_sure_of_is_not_trusted_to_matting(disc_alpha):
    alpha = disc_alpha((768, 768), 200.0)
    alpha[383:386, :] = 1.0
    trust = matting_confidence(alpha)
    assert trust[384, 30] == 0.0
    assert trust[184, 384] > 0.9, "the crisp edge of the disc is trusted all the same"
