"""An item cut out and framed as by the pipeline, without refinement, fusion and matting: for the mesher alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.sets import Item, read_mask
from services.common.arrays import RGB, RGBA, Alpha, InverseDepth
from services.common.imaging.working_size import resize
from services.common.photos.decoding import decode_depth, decode_photo
from services.mesher.geometry.camera import Camera
from services.orchestrator.cutout.cut import CutoutOptions, cut_out
from services.orchestrator.framing import FOCAL_OF_LONG_SIDE, FramingOptions, frame_subject


@dataclass(frozen=True)
class FramedItem:
    """A cutout in its frame, with the photo and the exact alpha in the same frame.

    Attributes:
        rgba: (S, S, 4) uint8, what the mesher gets.
        depth: (S, S) float32, or None.
        camera: of the frame.
        photo: (S, S, 3) uint8, background and all.
        exact: (S, S) float32 in [0, 1].
    """

    rgba: RGBA
    depth: InverseDepth | None
    camera: Camera
    photo: RGB
    exact: Alpha

    @classmethod
    def of(cls, photo: RGB, exact: Alpha, rgba: RGBA, depth: InverseDepth | None, camera: Camera) -> FramedItem:
        """Return the frame with photo and exact alpha (both (H, W)) drawn into it; the focal length was assumed."""
        height, width = exact.shape
        scale = camera.focal_px / (FOCAL_OF_LONG_SIDE * max(height, width))
        side = rgba.shape[0]
        u, v = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        x = ((u - camera.cx) / scale + width / 2 - 0.5).astype(np.float32)
        y = ((v - camera.cy) / scale + height / 2 - 0.5).astype(np.float32)

        def draw(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            even = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale) if scale < 1 else picture
            return np.asarray(cv2.remap(even, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)

        seen = np.rint(draw(photo.astype(np.float32))).astype(np.uint8)
        return cls(rgba, depth, camera, seen, draw(exact))


def frame_item(item: Item, mask: Path) -> FramedItem:
    """Return the item cut out by `mask` and framed as the orchestrator does it, and the photo in the same frame."""
    assert item.depth is not None and item.truth is not None
    rgb = decode_photo(item.photo.read_bytes()).working
    shape = (int(rgb.shape[0]), int(rgb.shape[1]))
    alpha = resize(read_mask(mask), shape)
    depth = resize(decode_depth(item.depth.read_bytes()), shape)
    cutout = cut_out(rgb, alpha, CutoutOptions(matting=False))
    frame = frame_subject(np.asarray(cutout.foreground, np.uint8), cutout.alpha, depth, FramingOptions())
    camera = Camera(frame.focal_px, frame.cx, frame.cy)
    exact = resize(read_mask(item.truth), shape)
    return FramedItem.of(rgb, exact, frame.rgba, frame.depth, camera)
