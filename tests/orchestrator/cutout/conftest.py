"""Scenes of known answer: a photo composited from a foreground, a background and an exact alpha."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest


@dataclass(frozen=True)
class Scene:
    photo: np.ndarray
    alpha: np.ndarray
    foreground: np.ndarray
    background: np.ndarray

    def at_working_size(self, factor):
        """The exact alpha, reduced as a mask at working size is."""
        height, width = self.alpha.shape
        return cv2.resize(self.alpha, (width // factor, height // factor), interpolation=cv2.INTER_AREA)


def _smooth_picture(shape, colour, seed):
    """A gentle shading round `colour`, as of a lit surface or a blurred backdrop."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-0.08, 0.08, (4, 5, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC) + np.float32(colour), 0, 1)


@pytest.fixture(scope="session")
def composite():
    """Return a function: exact alpha → Scene, in 8 or 16 bit."""

    def build(alpha, dtype=np.uint8, subject=(0.8, 0.25, 0.15), backdrop=(0.15, 0.45, 0.7)):
        top = np.iinfo(dtype).max
        foreground = _smooth_picture(alpha.shape, subject, 1)
        background = _smooth_picture(alpha.shape, backdrop, 2)
        mixed = foreground * alpha[..., None] + background * (1 - alpha[..., None])
        pictures = [np.rint(p * top).astype(dtype) for p in (mixed, foreground, background)]
        return Scene(pictures[0], alpha.astype(np.float32), pictures[1], pictures[2])

    return build


def _distance(shape, centre):
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return np.hypot(y - centre[0], x - centre[1])


@pytest.fixture(scope="session")
def disc_alpha():
    """Return a function: (shape, radius, softness in px) → alpha of a disc whose edge is a linear ramp."""

    def build(shape, radius, softness=1.0):
        distance = _distance(shape, (shape[0] / 2, shape[1] / 2))
        return np.clip((radius - distance) / softness + 0.5, 0, 1).astype(np.float32)

    return build


@pytest.fixture(scope="session")
def hair_alpha():
    """Return a function: shape → alpha of a block with a fan of hairs, one to two pixels wide."""

    def build(shape):
        height, width = shape
        canvas = np.zeros((4 * height, 4 * width), np.uint8)
        cv2.rectangle(canvas, (width, 2 * height), (3 * width, 4 * height), 255, -1)
        for k in range(13):
            end = (int(width * (0.8 + 0.2 * k)), int(height * 0.5))
            cv2.line(canvas, (int(width * (1.2 + 0.13 * k)), 2 * height), end, 255, 5)
        return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)

    return build
