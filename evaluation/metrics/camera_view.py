"""What the photo's camera sees of a mesh: its outline, and which of its points are hidden.

Convention: a scene's meta.json places the unit-sphere mesh by `p_camera = scale * p + offset`; the camera stands at the
origin and looks along -Z; `u = cx + fx * x / -z`, `v = cy - fy * y / -z`, pixel centres at .5.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from evaluation.metrics.mask_metrics import Soft
from evaluation.metrics.mesh_surface import Surface
from evaluation.sets import Meta
from services.common.arrays import BoolMask, Points

DRAWING_PX = 256
HIDDEN_BEHIND = 0.08  # of the bounding sphere's radius: nearer to what is seen counts as seen
FITTING_ROUNDS = 8


def hidden_from_camera(points: Points, meta: Meta, cells: int = 128) -> BoolMask:
    """Return which of a dense sampling (n, 3) lie behind others as the photo's camera sees them."""
    scale, _ = _placement(meta)
    placed = _to_camera(points, meta)
    depth = -placed[:, 2]
    flat = placed[:, :2] / depth[:, None]
    low, high = flat.min(0), flat.max(0)
    cell = np.clip(((flat - low) / max(float((high - low).max()), 1e-9) * cells).astype(int), 0, cells - 1)
    index = cell[:, 1] * cells + cell[:, 0]
    front = np.full(cells * cells, np.inf)
    np.minimum.at(front, index, depth)
    padded = np.pad(front.reshape(cells, cells), 1, constant_values=np.inf)
    around = [padded[dy : dy + cells, dx : dx + cells] for dy in range(3) for dx in range(3)]
    nearest = np.minimum.reduce(around)
    return np.asarray(depth > nearest.ravel()[index] + HIDDEN_BEHIND * scale)


def silhouette_iou(surface: Surface, truth: Surface, meta: Meta, alpha: Soft) -> float:
    """Return the overlap of the drawn mesh with the exact alpha, after its projected box met that of the exact mesh."""
    drawn = draw_silhouette(_fit_to_view(surface, truth, meta), meta)
    small = Image.fromarray(alpha.astype(np.float32)).resize(drawn.shape[::-1], Image.Resampling.BOX)
    seen = np.asarray(small) >= 0.5
    either = np.count_nonzero(drawn | seen)
    return 1.0 if either == 0 else float(np.count_nonzero(drawn & seen) / either)


def draw_silhouette(surface: Surface, meta: Meta, width: int = DRAWING_PX) -> BoolMask:
    """Return the filled outline of a mesh, `width` pixels wide; polygons are filled with their rim."""
    camera, image = meta["camera"], meta["image"]
    factor = width / image["width"]
    height = max(1, round(image["height"] * factor))
    placed = _to_camera(surface.vertices, meta)
    depth = np.maximum(-placed[:, 2], 1e-6)
    u = (camera["cx"] + camera["fx"] * placed[:, 0] / depth) * factor - 0.5
    v = (camera["cy"] - camera["fy"] * placed[:, 1] / depth) * factor - 0.5
    canvas = Image.new("1", (width, height))
    pen = ImageDraw.Draw(canvas)
    for corners in np.stack([u, v], axis=1)[surface.faces].reshape(-1, 6).tolist():
        pen.polygon(corners, fill=1)
    return np.asarray(canvas)


def _fit_to_view(surface: Surface, truth: Surface, meta: Meta) -> Surface:
    """Scale a mesh, and shift it across the view, until its projected box matches that of the exact mesh."""
    scale, offset = _placement(meta)
    low, high = _box(truth.vertices, meta)
    vertices = surface.vertices
    for _ in range(FITTING_ROUNDS):
        a, b = _box(vertices, meta)
        vertices = vertices * float(np.max(high - low) / max(float(np.max(b - a)), 1e-9))
        a, b = _box(vertices, meta)
        across = ((low + high) - (a + b)) / 2 * -offset[2] / scale
        vertices = vertices + np.array([across[0], across[1], 0.0])
    return Surface(vertices, surface.faces)


def _placement(meta: Meta) -> tuple[float, Points]:
    return float(meta["mesh_to_camera"]["scale"]), np.asarray(meta["mesh_to_camera"]["offset"], dtype=np.float64)


def _to_camera(points: Points, meta: Meta) -> Points:
    scale, offset = _placement(meta)
    return np.asarray(scale * points + offset)


def _box(vertices: Points, meta: Meta) -> tuple[Points, Points]:
    placed = _to_camera(vertices, meta)
    flat = placed[:, :2] / np.maximum(-placed[:, 2:], 1e-6)
    return flat.min(0), flat.max(0)
