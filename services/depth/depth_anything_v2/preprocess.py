"""The way of a photo into the network and of the map back to the photo, bit for bit by the official rules.

Source: `transform.py` and `dpt.py` (image2tensor, infer_image) of the official code at commit a561b84.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Float, InverseDepth
from services.common.backends.backend_spec import BackendSpec, Triple

PATCH_PX = 14  # side of a DINOv2 patch
INPUT_PX = 518  # the short side that the published weights were trained with: 37 patches
MAX_TOKENS = 4096  # 3 times a square picture's 1369; attention grows with the square of the tokens
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, as in training
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NetworkSize:
    """The size a photo is brought to.

    Args:
        width_px: a multiple of the patch side.
        height_px: a multiple of the patch side.
        bounded: the official size had more than `MAX_TOKENS` patches, so this one is smaller.
    """

    width_px: int
    height_px: int
    bounded: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return self.height_px // PATCH_PX, self.width_px // PATCH_PX

    @property
    def note(self) -> str:
        """Say that the photo was too long for the full resolution, or nothing."""
        if not self.bounded:
            return ""
        return (
            f"the photo is so long that depth saw it at {self.width_px} × {self.height_px} px, "
            f"less than the network's usual resolution"
        )


def network_size(width_px: int, height_px: int, input_px: int = INPUT_PX, max_tokens: int = MAX_TOKENS) -> NetworkSize:
    """Return the network's input size for a photo: aspect kept, no side shorter than `input_px`, multiples of 14.

    A long panorama would need tens of thousands of patches that way; above `max_tokens` both sides shrink alike until
    the patches fit, which departs from the official rule (it has no bound).

    Args:
        width_px: of the photo.
        height_px: of the photo.
        input_px: the short side wanted, a multiple of 14; more is finer and slower.
        max_tokens: the most patches.

    >>> size = network_size(4000, 3000)
    >>> size.width_px, size.height_px, size.bounded
    (686, 518, False)
    >>> network_size(20_000, 1000).bounded
    True
    """
    scale = max(input_px / width_px, input_px / height_px)
    columns = _patches(scale * width_px, input_px)
    rows = _patches(scale * height_px, input_px)
    if rows * columns <= max_tokens:
        return NetworkSize(columns * PATCH_PX, rows * PATCH_PX)
    shrink = math.sqrt(max_tokens / (rows * columns))
    short = max(1, math.floor(min(rows, columns) * shrink))
    long = min(math.floor(max(rows, columns) * shrink), max_tokens // short)
    columns, rows = (long, short) if columns >= rows else (short, long)
    return NetworkSize(columns * PATCH_PX, rows * PATCH_PX, bounded=True)


def read_size(spec: BackendSpec, default: int) -> int:
    """Return the option `size`, the short side in pixels.

    Raises:
        InvalidOption: not a multiple of 14 between 14 and 1554.
    """
    return spec.number("size", default, PATCH_PX, 3 * INPUT_PX, PATCH_PX)


def _patches(side_px: float, lower_bound_px: int) -> int:
    patches = round(side_px / PATCH_PX)  # half to even, as np.round
    return patches if patches * PATCH_PX >= lower_bound_px else math.ceil(side_px / PATCH_PX)


def to_network(rgb: RGB, width_px: int, height_px: int, mean: Triple = MEAN, std: Triple = STD) -> Float:
    """Return the photo as the network wants it: (1, 3, height_px, width_px) float32, resized and normalised.

    The cubic resize works on float64 in [0, 1] before normalising, without antialiasing: resizing the bytes instead
    costs 1 % of the map's range, an antialiased resize 2 to 14 %.
    """
    import cv2

    unit = rgb.astype(np.float64) / 255.0
    resized = cv2.resize(unit, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    normalised = (resized - np.array(mean)) / np.array(std)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], dtype=np.float32)


def to_photo(inverse_depth: Float, width_px: int, height_px: int) -> InverseDepth:
    """Return an (h, w) map at the photo's size: bilinear, corners on corners, so no value lies outside the map's own.

    (cv2.resize aligns pixel edges instead, and cv2.remap rounds its weights to 1/32.)

    >>> to_photo(np.array([[0, 1]], dtype=np.float32), 5, 1).tolist()
    [[0.0, 0.25, 0.5, 0.75, 1.0]]
    """
    rows = _interpolate_rows(inverse_depth, height_px)
    return np.ascontiguousarray(_interpolate_rows(rows.T, width_px).T)


def _interpolate_rows(values: Float, count: int) -> npt.NDArray[np.float32]:
    """(n, m) → (count, m), linear between the first and the last row."""
    n = values.shape[0]
    if n == count:
        return values
    step = np.float32(n - 1) / np.float32(count - 1) if count > 1 else np.float32(0)
    at = np.arange(count, dtype=np.float32) * step
    low = np.minimum(at.astype(np.intp), n - 1)
    high = np.minimum(low + 1, n - 1)
    t = (at - low)[:, None].astype(np.float32)
    return np.asarray(values[low] * (np.float32(1) - t) + values[high] * t, dtype=np.float32)
