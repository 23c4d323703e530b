"""Measures whether a mesh is closed, solid and of this subject; the orchestrator's gate decides on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from services.common.arrays import Alpha, Faces, InverseDepth, Points
from services.common.drawing.rasteriser import rasterise
from services.mesher.depth_guidance.depth_validity import is_depth_valid
from services.mesher.depth_guidance.planarity import is_planar
from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.mesh import (
    Mesh,
    face_normals,
    is_watertight,
    label_components,
    merge_by_position,
    normalise,
    signed_volume,
)
from services.mesher.geometry.placement import place_before_camera
from services.mesher.geometry.subject_mask import long_side, subject_mask

# Measured on 25 scenes: billboards 0.01 in both; exact meshes 0.40 and 0.12 or more, a leaning plate 0.87 and 0.05.
FLAT_VIEW_DEPTH = 0.12  # extent along the view over the larger extent across it
FLAT_THICKNESS = 0.04  # least over largest extent along the mesh's own axes
SOLID_VIEW_DEPTH = 0.3  # from here on depth earns no more credit
SMALL_PART = 0.01  # of the area: smaller parts are not counted
LOW_OVERLAP = 0.8  # IoU of mesh and mask below which it is told; what the gate takes as a fault is its own affair
UNKNOWN_OVERLAP = 0.85  # where there is no cutout to compare with
DRAWING_PX = 256


VerdictKind = Literal["empty", "truly_flat", "flat", "open", "inside_out", "unexplained", "fragmented", "good"]


@dataclass(frozen=True)
class Quality:
    """What is known about one mesh.

    Attributes:
        thickness_ratio: least over largest extent along the principal axes, 0 to 1.
        view_depth_ratio: extent along the view axis over the larger extent across it.
        watertight: closed and wound one way, vertices merged by position.
        outward: closed, and its faces look outward.
        components: connected parts with over 1 % of the area.
        faces: how many.
        volume: enclosed, in cubes of the largest extent.
        silhouette_iou: overlap of the mesh seen through the camera with the cutout; None without one.
        is_flat: a sheet, not a solid.
        is_truly_flat: depth says that the subject is a thin plane, so that flat is right.
        verdict_kind: what the figures come to.
        verdict: the same in one sentence, with the figures.
        score: 0 to 1, to choose the better of two attempts.
    """

    thickness_ratio: float
    view_depth_ratio: float
    watertight: bool
    outward: bool
    components: int
    faces: int
    volume: float
    silhouette_iou: float | None
    is_flat: bool
    is_truly_flat: bool
    verdict_kind: VerdictKind
    verdict: str
    score: float


def inspect(mesh: Mesh, alpha: Alpha | None, camera: Camera | None, depth: InverseDepth | None = None) -> Quality:
    """Return what can be said about a mesh, on its own and against the cutout it was made from.

    Args:
        mesh: in the convention of `services.mesher.geometry.mesh`, of any size.
        alpha: (H, W) float32 in [0, 1] of the frame, or None.
        camera: of the frame, or None; the silhouette is compared only if both are given.
        depth: (H, W) float32 inverse depth of the frame, for telling a flat subject from a flat mesh.
    """
    if len(mesh.faces) == 0 or not np.isfinite(mesh.vertices).all():
        return _worthless(len(mesh.faces))
    unit = normalise(mesh).vertices
    vertices, faces = merge_by_position(unit, mesh.faces)
    used = vertices[np.unique(faces)]
    extent = np.ptp(used, axis=0)
    view_depth = float(extent[2] / max(float(extent[:2].max()), 1e-12))
    thickness = _thickness_ratio(vertices, faces)
    watertight = is_watertight(faces)
    volume = signed_volume(vertices, faces)
    parts = _count_parts(vertices, faces)
    overlap = None if alpha is None or camera is None else silhouette_overlap(mesh, alpha, camera)
    plane = None
    if depth is not None and alpha is not None and camera is not None:
        plane = measure_thin_plane(depth, alpha, camera)
    found = Quality(
        thickness_ratio=thickness,
        view_depth_ratio=view_depth,
        watertight=watertight,
        outward=watertight and volume > 0,
        components=parts,
        faces=len(mesh.faces),
        volume=volume,
        silhouette_iou=overlap,
        is_flat=view_depth < FLAT_VIEW_DEPTH or thickness < FLAT_THICKNESS,
        is_truly_flat=plane is not None,
        verdict_kind="good",
        verdict="",
        score=0.0,
    )
    excused = plane is not None and view_depth > 0.5 * plane  # a plane that leans back is not excused as a billboard
    expected = 1 if alpha is None else _count_shapes(alpha)
    kind, sentence = _judge(found, excused, expected)
    return replace(found, verdict_kind=kind, verdict=sentence, score=_score(found, excused, expected))


def silhouette_overlap(mesh: Mesh, alpha: Alpha, camera: Camera) -> float:
    """Return the IoU of the mesh drawn through the camera with the cutout at half coverage, after their boxes met."""
    mask = subject_mask(alpha)
    if not mask.any():
        return 0.0
    pixels = project(place_before_camera(mesh.vertices, alpha, camera), camera)
    side = max(alpha.shape)
    factor = DRAWING_PX / side
    _, _, covered = rasterise(
        (pixels * factor).astype(np.float32), np.zeros(len(pixels), np.float32), mesh.faces, DRAWING_PX
    )
    drawn = np.zeros(DRAWING_PX * DRAWING_PX, dtype=np.bool_)
    drawn[covered] = True
    square = np.zeros((side, side), dtype=np.float32)
    square[: alpha.shape[0], : alpha.shape[1]] = np.where(mask, alpha, 0.0)
    seen = cv2.resize(square, (DRAWING_PX, DRAWING_PX), interpolation=cv2.INTER_AREA).ravel() >= 0.5
    either = np.count_nonzero(drawn | seen)
    return float(np.count_nonzero(drawn & seen) / either) if either else 0.0


def measure_thin_plane(depth: InverseDepth, alpha: Alpha, camera: Camera) -> float | None:
    """Return the view depth ratio of a subject that depth shows as nearly a plane, a plate or a card; else None."""
    mask = subject_mask(alpha)
    if not (mask.any() and is_depth_valid(depth, mask, camera) and is_planar(depth, mask, camera)):
        return None
    seen = depth[mask & np.isfinite(depth)].astype(np.float64)
    median = float(np.median(seen))
    far, near = np.maximum(np.percentile(seen, [3, 97]), 0.1 * median)
    return camera.focal_px * median * float(1 / far - 1 / near) / max(long_side(mask), 1)


def _thickness_ratio(vertices: Points, faces: Faces) -> float:
    """Return the least over the largest extent along the principal axes of the surface."""
    centres = vertices[faces].mean(axis=1)
    area = np.linalg.norm(face_normals(vertices, faces), axis=1)
    middle = np.average(centres, axis=0, weights=np.maximum(area, 1e-15))
    spread = (centres - middle) * np.sqrt(area)[:, None]
    axes = np.linalg.eigh(spread.T @ spread)[1]
    extents = np.sort(np.ptp(vertices[np.unique(faces)] @ axes, axis=0))
    return float(extents[0] / max(float(extents[2]), 1e-12))


def _count_parts(vertices: Points, faces: Faces) -> int:
    count, label = label_components(faces, len(vertices))
    area = np.linalg.norm(face_normals(vertices, faces), axis=1)
    share = np.bincount(label[faces[:, 0]], area, minlength=count) / max(float(area.sum()), 1e-15)
    return int(np.count_nonzero(share > SMALL_PART))


def _count_shapes(alpha: Alpha) -> int:
    count, _ = cv2.connectedComponents(subject_mask(alpha).astype(np.uint8), connectivity=8)
    return max(1, count - 1)


def _score(found: Quality, excused: bool, expected: int) -> float:
    """Return the product of what each fault leaves: overlap, closed, solid, in one piece."""
    explained = UNKNOWN_OVERLAP if found.silhouette_iou is None else found.silhouette_iou
    closed = 1.0 if found.outward else 0.85
    deep = min(1.0, 0.4 + 0.6 * found.view_depth_ratio / SOLID_VIEW_DEPTH)
    solid = 1.0 if excused else deep * (0.6 if found.is_flat else 1.0)
    whole = max(0.85, 1.0 - 0.03 * max(0, found.components - expected))
    return float(np.clip(explained * closed * solid * whole, 0.0, 1.0))


def _judge(found: Quality, excused: bool, expected: int) -> tuple[VerdictKind, str]:
    """Return the first verdict that holds, and its sentence."""
    overlap, deep = found.silhouette_iou, f"{found.view_depth_ratio:.0%} as deep as it is wide"
    covers = "" if overlap is None else f", and it explains {overlap:.0%} of the cutout"
    shape = "a thin plane by its depth, " if found.is_truly_flat else ""
    parts = f"in {found.components} parts where the cutout has {expected}"
    leans = f"Flat: only {deep}, though depth shows a plane that leans back{covers}."
    flat = f"Flat: only {deep}{covers}; a leaking mask or missing depth is the likely cause."
    verdicts: tuple[tuple[bool, VerdictKind, str], ...] = (
        (
            found.is_flat and excused,
            "truly_flat",
            f"Flat, and rightly so: depth shows the subject as a thin plane{covers}.",
        ),
        (found.is_flat, "flat", leans if found.is_truly_flat else flat),
        (not found.watertight, "open", f"Broken: the surface is not closed{covers}."),
        (not found.outward, "inside_out", f"Broken: the surface is inside out{covers}."),
        (
            overlap is not None and overlap < LOW_OVERLAP,
            "unexplained",
            f"Doubtful: not quite the shape of the photo{covers}.",
        ),
        (found.components > expected, "fragmented", f"Closed and solid, but {parts}{covers}."),
        (True, "good", f"Whole: {shape}closed, solid, {deep}{covers}."),
    )
    return next((kind, sentence) for holds, kind, sentence in verdicts if holds)


def _worthless(faces: int) -> Quality:
    reason = "it has no faces" if faces == 0 else "some of its vertices are not finite"
    return Quality(0.0, 0.0, False, False, 0, faces, 0.0, None, False, False, "empty", f"Broken: {reason}.", 0.0)
