"""Colours for a mesh from the one photo there is: straight on the seen side, plausible elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, RGBA, BoolMask, Colours, Float, Points

RIM_SHARE = 4 / 512  # of the frame's side: pixels nearer the outline may still hold background, and are replaced
EVEN_SHARE = 3 / 512  # of the frame's side: they become the mean of what lies deeper inside within about this reach
BLUR_SHARE = 0.03  # of the frame's side: detail of the unseen side is unknown, only its tone is guessed
FACING = (0.05, 0.35)  # cosine to the camera at which the photo begins to count, and from which it counts alone


def clean_palette(rgba: RGBA) -> tuple[RGB, RGB]:
    """Return the photo with its surroundings replaced by the subject's nearest colours: sharp, and blurred."""
    side = max(rgba.shape[:2])
    inner = solid_pixels(rgba[..., 3] >= 128, max(1, round(RIM_SHARE * side)))
    sharp = fill_evenly(np.ascontiguousarray(rgba[..., :3]), inner, max(1.0, EVEN_SHARE * side))
    soft = cv2.GaussianBlur(sharp, (0, 0), max(1.0, BLUR_SHARE * max(rgba.shape[:2])))
    return sharp, np.asarray(soft, dtype=np.uint8)


def solid_pixels(mask: BoolMask, rim_px: int) -> BoolMask:
    """Return the pixels deeper inside than `rim_px`, and the ridges of parts too thin to have any."""
    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    solid = depth > rim_px
    reach = 2 * (2 * rim_px + 2) + 1
    served = cv2.dilate(solid.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
    ridge = depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))
    chosen = solid | (mask & ~served & ridge)
    return np.asarray(chosen if chosen.any() else mask, dtype=np.bool_)


def fill_evenly(picture: RGB, known: BoolMask, reach_px: float) -> RGB:
    """Return the picture with every unknown pixel replaced by the mean of the known ones round the nearest known one.

    One pixel alone may be a speck or still hold background; the mean over `reach_px` (the blur's sigma) does not.
    """
    share = cv2.GaussianBlur(known.astype(np.float32), (0, 0), reach_px)
    total = cv2.GaussianBlur(np.where(known[..., None], picture, 0).astype(np.float32), (0, 0), reach_px)
    mean = np.clip(np.rint(total / np.maximum(share, 1e-6)[..., None]), 0, 255).astype(np.uint8)
    return np.asarray(np.where(known[..., None], picture, fill_nearest(mean, known)), dtype=np.uint8)


def fill_nearest(picture: RGB, known: BoolMask) -> RGB:
    """Return the picture with every unknown pixel replaced by the nearest known one.

    >>> picture = np.array([[[1, 1, 1], [0, 0, 0], [0, 0, 0], [9, 9, 9]]], np.uint8)
    >>> fill_nearest(picture, np.array([[True, False, False, True]]))[0, :, 0].tolist()
    [1, 1, 9, 9]
    """
    if known.all() or not known.any():
        return picture
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    lookup = np.zeros((int(label.max()) + 1, 3), dtype=np.uint8)
    lookup[label[known]] = picture[known]
    return np.asarray(lookup[label], dtype=np.uint8)


def paint(pixels: Points, facing: Float | Points, sharp: RGB, soft: RGB) -> Colours:
    """Return the colour of surface points: the photo where they face the camera, its blurred tone elsewhere.

    Args:
        pixels: (n, 2) float64 (u, v) where each point falls in the frame.
        facing: (n,) cosine between the normal and the direction to the camera.
        sharp: the photo, from `clean_palette`.
        soft: its blurred tones, from there too.
    """
    share = photo_share(facing)[:, None]
    mixed = share * _look_up(sharp, pixels) + (1 - share) * _look_up(soft, pixels)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)


def photo_share(facing: Float | Points) -> Float:
    """Return (n,) the photo's share of the colour: 1 where a point faces the camera, 0 where it turns away.

    >>> photo_share(np.array([1.0, 0.2, 0.0])).round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    share = np.clip((np.asarray(facing, np.float32) - FACING[0]) / (FACING[1] - FACING[0]), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)


def facing_camera(vertices: Points, normals: Points) -> Points:
    """Return (n,) cosine between each normal and the direction to the camera at the origin.

    >>> facing_camera(np.array([[0.0, 0, -2], [0, 0, -2]]), np.array([[0.0, 0, 1], [0, 0, -1]])).tolist()
    [1.0, -1.0]
    """
    length = np.maximum(np.linalg.norm(vertices, axis=1), 1e-12)
    return np.asarray(-np.einsum("ij,ij->i", vertices, normals) / length)


def _look_up(picture: RGB, pixels: Points) -> npt.NDArray[np.float32]:
    """Return (n, 3) float32 colours, bilinear, in parts that the remapping's 16-bit sizes allow."""
    x = (pixels[:, 0] - 0.5).astype(np.float32)
    y = (pixels[:, 1] - 0.5).astype(np.float32)
    parts = [
        cv2.remap(
            picture, x[k : k + 30000, None], y[k : k + 30000, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[:, 0]
        for k in range(0, len(x), 30000)
    ]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 3), np.float32)
