"""Masks beside photos, named and polarised as photogrammetry programs expect them.

    colmap       masks/abc/012.jpg.png    white is kept; for --ImageReader.mask_path OUT/masks
    meshroom     masks/abc/012.png        white is kept; a folder for FeatureExtraction and PrepareDenseScene
    metashape    masks/abc/012_mask.png   white is kept; template {filename}_mask.png
    realityscan  masks/abc/012.jpg.mask.png   white is masked out, as its help says; goes beside the photo
    matte        masks/abc/012.png        the soft alpha itself, for compositing

Masks for programs are hard: COLMAP and Meshroom leave out only what is exactly 0, so a haze of faint alpha would let
the background in. What stands far from the subject and is small beside it goes as well.

A mask lies on the pixel grid of the photo's file, not yet turned upright: these programs read the file's own pixels and
leave its Orientation alone.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from services.cli.photo_files import PhotoItem
from services.common.photos.raster import as_stored

FOLDER = "masks"


class MaskSidecar(StrEnum):
    """Programs whose masks are known."""

    colmap = "colmap"
    meshroom = "meshroom"
    metashape = "metashape"
    realityscan = "realityscan"
    matte = "matte"


class Polarity(StrEnum):
    """What white means."""

    auto = "auto"
    white_kept = "white-kept"
    white_masked = "white-masked"


_NAMES = {
    MaskSidecar.colmap: "{name}.png",
    MaskSidecar.meshroom: "{stem}.png",
    MaskSidecar.metashape: "{stem}_mask.png",
    MaskSidecar.realityscan: "{name}.mask.png",
    MaskSidecar.matte: "{stem}.png",
}
HALF = 128  # alpha from which a pixel is the subject's
ISLAND_SHARE = 0.05  # of the largest part's area: smaller parts are islands
ISLAND_DISTANCE = 0.02  # of the long side: unless they lie so near to what is kept (a strap, a spoke behind a leaf)


def sidecar_path(item: PhotoItem, program: MaskSidecar) -> Path:
    """Return where the mask of a photo goes."""
    name = _NAMES[program].format(name=item.photo.name, stem=item.stem)
    return item.beside(item.root / FOLDER / item.folder.relative_to(item.root) / name, "mask")


def sidecar_png(mask: bytes, program: MaskSidecar, polarity: Polarity, orientation: int) -> bytes:
    """Return a mask as `program` wants it.

    Args:
        mask: encoded grey picture, upright, white is subject.
        program: who reads it.
        polarity: what white shall mean; `auto` is the program's own.
        orientation: EXIF's, 1 to 8, of the photo.
    """
    values = np.asarray(cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    if program != MaskSidecar.matte:
        values = harden(values)
    if polarity == Polarity.auto:
        polarity = Polarity.white_masked if program == MaskSidecar.realityscan else Polarity.white_kept
    if polarity == Polarity.white_masked:
        values = np.asarray(255 - values, dtype=np.uint8)
    _, data = cv2.imencode(
        ".png", np.ascontiguousarray(as_stored(values, orientation)), [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    return bytes(data.tobytes())


def harden(alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a mask of 0 and 255 alone: the subject's pixels, without islands that stand apart from it.

    Args:
        alpha: (H, W) uint8, soft.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha >= HALF).astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    if count < 3:
        return np.where(labels > 0, 255, 0).astype(np.uint8)
    kept = areas >= ISLAND_SHARE * areas.max()
    away = cv2.distanceTransform((~kept[labels]).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.asarray(away <= ISLAND_DISTANCE * max(alpha.shape))
    kept[np.unique(labels[near])] = True
    kept[0] = False
    return np.where(kept[labels], 255, 0).astype(np.uint8)
