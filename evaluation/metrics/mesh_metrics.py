"""How good a mesh is, measured against the exact one.

Both are centred on their bounding sphere, of radius 1, in the frame right, up, towards the camera; 10,000 points each.
Figures come unrotated (as the mesh stands) and `_aligned` (best rotation, shift and scale first: `alignment.py`).

    chamfer        mean distance both ways (L1)                                             0 is best
    f@0.1, f@0.05  F of the shares of points within that reach of the other                 1
    back_recall    share of the surface hidden from the camera that the mesh comes near     1
    silhouette_iou overlap with the exact alpha through the photo's camera                  1
    flat           shallow along the view where the exact mesh is deep                      0
    watertight, outward    closed; closed with its faces outward                            1
    view_depth_ratio, thickness_ratio, components    describe the mesh
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from evaluation.metrics.alignment import align
from evaluation.metrics.camera_view import hidden_from_camera, silhouette_iou
from evaluation.metrics.mask_metrics import Metrics, Soft
from evaluation.metrics.mesh_surface import Surface, nearest_distances, sample, to_unit_sphere
from evaluation.sets import Meta
from services.common.arrays import Points

HIGHER_IS_BETTER = frozenset(
    {f"{name}{end}" for name in ("f@0.1", "f@0.05", "back_recall") for end in ("", "_aligned")}
    | {"silhouette_iou", "watertight", "outward"}
)
REACHES = (0.1, 0.05)
FLAT_RATIO = 0.15  # depth over silhouette extent below which a mesh is flat ...
SOLID_RATIO = 0.30  # ... provided that the exact mesh is deeper than this
NEAR = 0.1  # of back recall
SMALL_PART = 0.01  # of the area: smaller parts are not counted as components


@dataclass(frozen=True)
class ExactMesh:
    """The truth about one item: its mesh, and with a camera what the photo shows of it."""

    surface: Surface
    meta: Meta | None = None
    alpha: Soft | None = None


def score_mesh(truth: ExactMesh, mesh: Surface, *, with_alignment: bool = True) -> Metrics:
    """Return all figures; those that need a camera are None without one."""
    exact, placed = to_unit_sphere(truth.surface), to_unit_sphere(mesh)
    points_t, points_g = sample(exact), sample(placed, seed=1)
    found: Metrics = dict(_distances(points_t, points_g))
    moved = points_g
    if with_alignment:
        moved, aligned = _aligned(points_t, points_g, found)
        found |= {f"{name}_aligned": value for name, value in aligned.items()}
    clouds = {"back_recall": points_g} | ({"back_recall_aligned": moved} if with_alignment else {})
    found |= _back_recall(exact, truth.meta, clouds)
    sees = truth.meta is not None and truth.alpha is not None
    found["silhouette_iou"] = silhouette_iou(placed, exact, truth.meta, truth.alpha) if sees else None  # type: ignore[arg-type]
    shape = describe_shape(placed)
    depth, exact_depth = shape["view_depth_ratio"], _view_depth_ratio(exact)
    assert depth is not None
    found["flat"] = float(depth < FLAT_RATIO and exact_depth > SOLID_RATIO)
    return found | shape


def describe_shape(surface: Surface) -> Metrics:
    """Return what a mesh is like on its own: proportions, closedness, winding, parts."""
    import trimesh

    tidy: Any = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    tidy.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=6)
    tidy.update_faces(tidy.nondegenerate_faces())
    tidy.remove_unreferenced_vertices()
    corners = tidy.vertices[tidy.faces]
    volume = float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)
    return {
        "view_depth_ratio": _view_depth_ratio(surface),
        "thickness_ratio": _thickness_ratio(surface),
        "watertight": float(tidy.is_watertight),
        "outward": float(tidy.is_winding_consistent and volume > 0),
        "components": float(_count_parts(np.asarray(tidy.faces), np.asarray(tidy.area_faces), len(tidy.vertices))),
    }


def _distances(truth: Points, guess: Points) -> dict[str, float]:
    forth, back = nearest_distances(truth, guess), nearest_distances(guess, truth)
    found = {"chamfer": float((forth.mean() + back.mean()) / 2)}
    for reach in REACHES:
        recall, precision = float(np.mean(forth <= reach)), float(np.mean(back <= reach))
        found[f"f@{reach}"] = 0.0 if recall + precision == 0 else 2 * recall * precision / (recall + precision)
    return found


def _aligned(truth: Points, guess: Points, unrotated: Metrics) -> tuple[Points, dict[str, float]]:
    """Return the better placed cloud of the two, by F@0.1, and its distances."""
    linear, shift = align(truth, guess)
    moved = guess @ linear.T + shift
    found = _distances(truth, moved)
    before = unrotated["f@0.1"]
    if before is not None and found["f@0.1"] < before:
        return guess, _distances(truth, guess)
    return moved, found


def _back_recall(exact: Surface, meta: Meta | None, clouds: dict[str, Points]) -> Metrics:
    if meta is None:
        return dict.fromkeys(clouds)
    dense = sample(exact, 60_000, seed=2)
    hidden = dense[hidden_from_camera(dense, meta)][::6]
    if len(hidden) == 0:
        return dict.fromkeys(clouds, 1.0)
    return {name: float(np.mean(nearest_distances(hidden, cloud) <= NEAR)) for name, cloud in clouds.items()}


def _view_depth_ratio(surface: Surface) -> float:
    extent = np.ptp(surface.vertices[np.unique(surface.faces)], axis=0)
    return float(extent[2] / max(float(extent[0]), float(extent[1]), 1e-12))


def _thickness_ratio(surface: Surface) -> float:
    """Return the least over the largest extent along the principal axes of the surface."""
    points = sample(surface, 4000)
    turned = points @ np.linalg.svd(points - points.mean(0), full_matrices=False)[2].T
    extents = np.sort(np.ptp(turned, axis=0))
    return float(extents[0] / max(float(extents[2]), 1e-12))


def _count_parts(faces: Any, areas: Any, size: int) -> int:
    links = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(size, size))
    count, label = csgraph.connected_components(graph, directed=False)
    share = np.bincount(label[faces[:, 0]], weights=areas, minlength=count) / max(float(areas.sum()), 1e-12)
    return int((share > SMALL_PART).sum())
