"""Frame the subject for the mesher: square, centred, its longer side 0.85 of the frame, straight alpha.

TripoSR was trained on such frames. Its own script takes the bounding box of every pixel with alpha above 0, so that one
stray pixel halves the subject, and loses the last row and column. Here the main component decides the box, what is soft
around it belongs to it, and everything is resampled once, antialiased, premultiplied so that colours do not bleed.

Convention: x and y are continuous, pixel (i, j) covers [j, j + 1) × [i, i + 1); boxes are half-open (x0, y0, x1, y1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.common.arrays import RGB, RGBA, Alpha, BoolMask, Float, InverseDepth
from services.common.errors import InvalidOption, NoSubject

RATIO = 0.85  # TripoSR's training framing
SIDE_PX = 512  # what its image tokenizer takes
FOCAL_OF_LONG_SIDE = 1.4  # a phone's main camera, about 40° across the long side
CORE = 0.5  # alpha from which a pixel is more subject than not
VISIBLE = 5 / 255  # fainter alpha is neither seen nor framed
PART_SHARE = 0.1  # a component of at least this share of the largest belongs too: the second shoe
CRUMB_SHARE = 0.001  # smaller components go even inside the box: they would float in the mesh
SOFT_REACH = 0.05  # soft edges count for the box up to this share of its longer side; a haze beyond does not


@dataclass(frozen=True)
class FramingOptions:
    """How the subject is framed.

    Attributes:
        ratio: the box's longer side over the frame's side, in (0, 1]; more is larger.
        side: the frame's side in px.
        focal_px: focal length of the photo in its px; None: 1.4 × its long side.
    Raises:
        InvalidOption: a value out of its range.
    """

    ratio: float = RATIO
    side: int = SIDE_PX
    focal_px: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if not 0.0 < self.ratio <= 1.0:
            raise InvalidOption(f"foreground ratio is {self.ratio}; wanted above 0 and up to 1", field="ratio")
        if not 16 <= self.side <= 4096:
            raise InvalidOption(f"frame side is {self.side} px; wanted 16 to 4096", field="side")
        if self.focal_px is not None and not 0.0 < self.focal_px < math.inf:
            raise InvalidOption(f"focal length is {self.focal_px} px; wanted above 0", field="focal_px")


@dataclass(frozen=True)
class Frame:
    """The framed subject.

    Attributes:
        rgba: (side, side, 4) uint8, straight alpha; dropped specks have alpha 0.
        depth: (side, side) relative inverse depth, NaN beyond the photo; None if none was given.
        focal_px: focal length in px of the frame.
        cx: principal point of the photo in the frame, x.
        cy: the same, y.
        box: the subject in the photo, (x0, y0, x1, y1) in px, half-open.
        share: the subject's longer side over the frame's side, measured in the frame.
        touches: borders of the photo that the subject touches, of "left", "top", "right", "bottom".
    """

    rgba: RGBA
    depth: InverseDepth | None
    focal_px: float
    cx: float
    cy: float
    box: tuple[int, int, int, int]
    share: float
    touches: tuple[str, ...]


def frame_subject(foreground: RGB, alpha: Alpha, depth: InverseDepth | None, options: FramingOptions) -> Frame:
    """Return the main subject in a square frame.

    Args:
        foreground: (H, W, 3) uint8, the subject's colours (not premultiplied).
        alpha: (H, W) in [0, 1].
        depth: (h, w) of the same view at any size, or None.
        options: size and place.
    Raises:
        NoSubject: `alpha` shows nothing.

    >>> y, x = np.mgrid[:120, :160]
    >>> disc = (np.hypot(x - 70, y - 60) < 30).astype(np.float32)
    >>> frame = frame_subject(np.full((120, 160, 3), 200, np.uint8), disc, None, FramingOptions(side=64))
    >>> frame.rgba.shape, frame.box, round(frame.share, 2), frame.touches
    ((64, 64, 4), (41, 31, 100, 90), 0.84, ())
    """
    kept, core = _select_subject(alpha)
    box = _find_box(alpha, kept, core)
    left, top, extent = _place_frame(box, options.ratio)
    height, width = alpha.shape
    scale = options.side / extent

    rows = _resampling(height, top, extent, options.side)
    columns = _resampling(width, left, extent, options.side)
    rgba = _resample_rgba(foreground, np.where(kept, alpha, np.float32(0)), rows, columns)
    framed_depth = None if depth is None else _resample_depth(depth, (height, width), left, top, extent, options.side)
    focal = options.focal_px if options.focal_px is not None else FOCAL_OF_LONG_SIDE * max(height, width)
    return Frame(
        rgba=rgba,
        depth=framed_depth,
        focal_px=focal * scale,
        cx=(width / 2 - left) * scale,
        cy=(height / 2 - top) * scale,
        box=box,
        share=_measure_share(rgba),
        touches=_find_touches(core),
    )


def _select_subject(alpha: Alpha) -> tuple[BoolMask, BoolMask]:
    """Return which pixels are kept, and the core of the components that decide the box."""
    strongest = float(alpha.max(initial=0.0))
    if strongest < VISIBLE:
        raise NoSubject(f"the mask is empty: its highest alpha is {strongest:.3f}, wanted {VISIBLE:.3f} or more")
    core = np.asarray(alpha > min(CORE, strongest / 2))
    _, labels, table, _ = cv2.connectedComponentsWithStats(core.view(np.uint8), connectivity=8)
    stats = np.asarray(table, np.int32)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    belongs = area >= PART_SHARE * area.max()
    crumbs = ~belongs & ~((area >= CRUMB_SHARE * area.max()) & _lies_inside(stats, belongs))
    crumbs[0] = False

    visible = np.asarray(alpha >= VISIBLE)
    _, soft_labels = cv2.connectedComponents(visible.view(np.uint8), connectivity=8)
    remains = np.asarray(~crumbs[labels] & core)
    with_core = np.zeros(int(soft_labels.max()) + 1, np.bool_)
    with_core[np.unique(soft_labels[remains])] = True
    with_core[0] = False
    kept = with_core[soft_labels]
    if crumbs.any():
        # A crumb that only a haze joins to the subject goes together with its soft rim.
        kept &= ~cv2.dilate(crumbs[labels].view(np.uint8), np.ones((5, 5), np.uint8)).view(np.bool_) | remains
    return np.asarray(kept), np.asarray(belongs[labels])


def _lies_inside(stats: npt.NDArray[np.int32], belongs: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return, for each component, whether its box lies inside the common box of those that belong."""
    x0, y0 = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    x1, y1 = x0 + stats[:, cv2.CC_STAT_WIDTH], y0 + stats[:, cv2.CC_STAT_HEIGHT]
    inside_x = (x0 >= x0[belongs].min()) & (x1 <= x1[belongs].max())
    inside_y = (y0 >= y0[belongs].min()) & (y1 <= y1[belongs].max())
    return np.asarray(inside_x & inside_y)


def _find_box(alpha: Alpha, kept: BoolMask, core: BoolMask) -> tuple[int, int, int, int]:
    """Return the box of `core`, grown to the soft pixels near it."""
    x0, y0, x1, y1 = _bounds(core)
    reach = max(1, math.ceil(SOFT_REACH * max(x1 - x0, y1 - y0)))
    height, width = alpha.shape
    top, left = max(0, y0 - reach), max(0, x0 - reach)
    near = kept[top : min(height, y1 + reach), left : min(width, x1 + reach)]
    nx0, ny0, nx1, ny1 = _bounds(near)
    return left + nx0, top + ny0, left + nx1, top + ny1


def _place_frame(box: tuple[int, int, int, int], ratio: float) -> tuple[int, int, int]:
    """Return left, top and side of the frame in px of the photo, in the whole numbers that TripoSR's script takes."""
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    extent = int(longer / ratio)
    left = x0 - (longer - (x1 - x0)) // 2 - (extent - longer) // 2
    top = y0 - (longer - (y1 - y0)) // 2 - (extent - longer) // 2
    return left, top, extent


def _bounds(mask: BoolMask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _find_touches(core: BoolMask) -> tuple[str, ...]:
    edges = {"left": core[:, 0], "top": core[0], "right": core[:, -1], "bottom": core[-1]}
    return tuple(name for name, edge in edges.items() if edge.any())


def _resampling(size: int, start: float, extent: float, side: int) -> sparse.csr_array:
    """Return (side, size): triangle-filter weights from pixels of a line to `side` pixels over [start, start + extent).

    The triangle is as wide as two target pixels (at least two source pixels), as in Pillow and torch's antialiased
    bilinear. Each row sums to 1 over an endless line; what lies beyond the photo counts as nothing.
    """
    step = extent / side
    radius = max(1.0, step)
    centres = start + (np.arange(side) + 0.5) * step
    first = np.floor(centres - radius).astype(np.int64)
    taps = first[:, None] + np.arange(math.ceil(2 * radius) + 2)
    weights = np.maximum(0.0, 1.0 - np.abs(taps + 0.5 - centres[:, None]) / radius)
    weights /= weights.sum(axis=1, keepdims=True)
    exists = (taps >= 0) & (taps < size)
    row = np.broadcast_to(np.arange(side)[:, None], taps.shape)[exists]
    matrix = sparse.coo_array((weights[exists].astype(np.float32), (row, taps[exists])), shape=(side, size))
    return matrix.tocsr()


def _apply(rows: sparse.csr_array, columns: sparse.csr_array, values: Float) -> Float:
    return np.asarray((columns @ np.ascontiguousarray((rows @ values).T)).T, np.float32)


def _resample_rgba(foreground: RGB, alpha: Alpha, rows: sparse.csr_array, columns: sparse.csr_array) -> RGBA:
    """Resample premultiplied, channel by channel, and return straight alpha."""
    share = np.clip(_apply(rows, columns, alpha), 0.0, 1.0)
    rgba = np.zeros((*share.shape, 4), np.uint8)
    rgba[..., 3] = np.rint(share * 255.0)
    seen = rgba[..., 3] > 0
    for channel in range(3):
        mixed = _apply(rows, columns, foreground[..., channel] * alpha)
        rgba[seen, channel] = np.rint(np.clip(mixed[seen] / share[seen], 0.0, 255.0))
    return rgba


def _resample_depth(
    depth: InverseDepth, photo_size: tuple[int, int], left: float, top: float, extent: float, side: int
) -> InverseDepth:
    """Resample depth from its own grid; NaN where less than half of a pixel's filter saw a finite value."""
    (height, width), (photo_height, photo_width) = depth.shape, photo_size
    down, across = height / photo_height, width / photo_width
    rows = _resampling(height, top * down, extent * down, side)
    columns = _resampling(width, left * across, extent * across, side)
    finite = np.isfinite(depth)
    weight = _apply(rows, columns, finite.astype(np.float32))
    total = _apply(rows, columns, np.where(finite, depth, np.float32(0)).astype(np.float32))
    return np.where(weight >= 0.5, total / np.maximum(weight, np.float32(0.5)), np.float32(np.nan)).astype(np.float32)


def _measure_share(rgba: RGBA) -> float:
    visible = np.asarray(rgba[..., 3] >= min(128, int(rgba[..., 3].max())))
    x0, y0, x1, y1 = _bounds(visible)
    return float(max(x1 - x0, y1 - y0)) / float(rgba.shape[0])
