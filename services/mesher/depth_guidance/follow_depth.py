"""The front of a mesh brought to where a depth map has it, smoothly, where the two disagree beyond noise.

The mesh is drawn through the photo's camera. The map, whose scale and shift nobody knows, is fitted to what is seen by
a robust affine map; so is a lean, which networks are seldom right about (measured: docs/meshes.md). What is
left is the disagreement. Seen vertices then move along their lines of sight by a field that is smooth over the surface
and nothing at the edge of what is seen.

Along lines of sight nothing moves in the picture: the outline stays, and no face turns to the camera or away from it.
Faces and their order are not touched, so that what was closed is closed.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from services.common.arrays import Alpha, BoolMask, Faces, Float, InverseDepth, Points
from services.common.drawing.rasteriser import rasterise
from services.mesher.depth_guidance.depth_validity import is_depth_valid
from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.mesh import Mesh, face_normals, merge_by_position, normalise, vertex_normals
from services.mesher.geometry.placement import place_before_camera
from services.mesher.geometry.robust_fit import Vector, fit_robustly
from services.mesher.geometry.subject_mask import subject_mask

DRAWING_PX = 256
RIM_PX = 8  # of the drawing: nearer the outline, or an edge of the mesh, colours bleed into depth
STEP = 0.06  # of the size from one pixel to the next: the edge of one part before another
FEWEST_PX = 200  # a smaller front is not compared
FIT_ROUNDS = 15
LEAST_EXPLAINED = 0.5  # of the front's spread, for a map that is believed
FACING = 0.15  # cosine to the camera below which a vertex belongs to the sides, which depth hardly knows
SAME_SIDE = 0.2  # cosine between the old and the new normal of a face that may not be passed
BACK_OFF_ROUNDS = 8
FARTHEST = 0.15  # of the size: more is not a relief but another shape
REACH = 0.03  # of the size, over which the correction is evened out
NOISE = 0.015  # of the size: disagreement that is taken for noise at least
CERTAINTY = 1.5  # times the usual disagreement, or the noise where that is more, at which half of one is corrected
MAX_PUSH = 0.6  # of the thickness behind a point by which it may be pushed in


def follow_depth(mesh: Mesh, depth: InverseDepth, alpha: Alpha, camera: Camera) -> Mesh:
    """Return the mesh with its front where depth has it, and a note on what was done.

    Args:
        mesh: in the convention of `services.mesher.geometry.mesh`, of any size, without a texture.
        depth: (H, W) float32 inverse depth of the frame with its surroundings, larger is nearer, NaN where unseen. One
            that is constant, inverted or of another picture changes nothing.
        alpha: (H, W) float32 in [0, 1] of the frame.
        camera: of the frame.
    Returns:
        The same vertices in the same order, those of the back where they were, and the same faces.
    """
    mask = subject_mask(alpha)
    if len(mesh.faces) == 0 or not mask.any():
        return mesh
    if not is_depth_valid(depth, mask, camera):
        return _noted(mesh, "the depth map tells nothing of this subject: the front stays as it is")
    size = float(np.ptp(mesh.vertices, axis=0).max())
    view = _View(place_before_camera(mesh.vertices / size, alpha, camera), mesh.faces, camera, max(alpha.shape))
    wanted = _fit(depth, mask, view)
    if wanted is None:
        return _noted(mesh, "depth and mesh do not fit each other: the front stays as it is")
    moves = _back_off(view, _find_moves(view, *wanted))
    vertices = mesh.vertices + size * view.sight * moves[:, None]
    if _count_torn(vertices, mesh.faces) > _count_torn(mesh.vertices, mesh.faces):
        return _noted(mesh, "following depth would tear the mesh: the front stays as it is")
    share = int(np.count_nonzero(np.abs(moves) > NOISE)) / max(int(np.count_nonzero(view.free)), 1)
    if share < 0.005:
        return _noted(mesh, "depth agrees with the front")
    note = f"{share:.0%} of the front moved to where depth has it, by up to {np.abs(moves).max():.1%} of the size"
    return _noted(replace(mesh, vertices=vertices), note)


class _View:
    """A mesh of size 1 before the camera, and what is seen of it.

    Attributes:
        distance: (n,) of each vertex along the view axis.
        sight: (n, 3) how a vertex moves when its distance grows by one.
        nearest: distance of what is seen, a pixel of the drawing; infinite where nothing is.
        behind: distance of the nearest face that looks away: where the seen body ends.
        free: (n,) which vertices are seen, and face the camera: those that may move.
    """

    def __init__(self, placed: Points, faces: Faces, camera: Camera, side: int) -> None:
        self.placed, self.faces = placed, faces
        self.distance: Vector = -placed[:, 2]
        self.sight = placed / self.distance[:, None]
        self.pixel = project(placed, camera) * (DRAWING_PX / side)
        a, b, c = (self.pixel[faces[:, k]] for k in range(3))
        away = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) > (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])  # rows run down
        self.nearest, self.behind = self._draw(faces), self._draw(faces[away])
        facing = -np.einsum("ij,ij->i", placed, vertex_normals(placed, faces)) / np.linalg.norm(placed, axis=1)
        self.free: BoolMask = (facing > FACING) & (self.distance < self.at_vertices(self.nearest) + STEP / 2)

    def at_vertices(self, picture: Float) -> Vector:
        """Return (n,) what a picture of the drawing's size says at the vertices, bilinear."""
        x, y = np.clip(self.pixel - 0.5, 0, DRAWING_PX - 1.001).T
        column, row = x.astype(np.int64), y.astype(np.int64)
        u, v = x - column, y - row
        top = (1 - u) * picture[row, column] + u * picture[row, column + 1]
        bottom = (1 - u) * picture[row + 1, column] + u * picture[row + 1, column + 1]
        return np.asarray((1 - v) * top + v * bottom, dtype=np.float64)

    def _draw(self, faces: Faces) -> Float:
        inverse = (1.0 / np.maximum(self.distance, 1e-6)).astype(np.float32)  # linear over the picture; distance is not
        drawn = np.zeros(DRAWING_PX * DRAWING_PX, dtype=np.float32)
        if len(faces):
            face, weights, pixel = rasterise(self.pixel.astype(np.float32), inverse / inverse.max(), faces, DRAWING_PX)
            drawn[pixel] = np.einsum("pk,pk->p", weights, inverse[faces[face]])
        return np.asarray(1 / np.maximum(drawn, 1e-6), np.float32).reshape(DRAWING_PX, DRAWING_PX)


def _fit(depth: InverseDepth, mask: BoolMask, view: _View) -> tuple[Float, Float] | None:
    """Return the distance that depth wants, a pixel of the drawing, and 1 where that is to be believed.

    None where map and mesh have too little in common for the fit to mean anything.
    """
    known = (mask & np.isfinite(depth)).astype(np.float32)
    share = _shrink(known)
    value = _shrink(np.where(known > 0, depth, 0).astype(np.float32)) / np.maximum(share, 1e-6)
    covered = (view.nearest < 1e5) & (share > 0.99)
    spread = cv2.morphologyEx(np.where(covered, view.nearest, 0), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1, 2 * RIM_PX + 1))
    trusted = cv2.erode((covered & (spread < STEP)).astype(np.uint8), disc, borderValue=0) > 0
    if np.count_nonzero(trusted) < FEWEST_PX:
        return None
    seen, told = 1 / view.nearest[trusted].astype(np.float64), value[trusted].astype(np.float64)
    middle = float(np.median(told))
    v, u = np.mgrid[-1 : 1 : DRAWING_PX * 1j, -1 : 1 : DRAWING_PX * 1j]
    lean = np.stack([np.ones_like(u), u, v], axis=-1)
    design = np.column_stack([told - middle, lean[trusted]])
    found, residual = fit_robustly(design, seen, FIT_ROUNDS, spread=2.0, least=1e-9)
    usual = float(np.median(np.abs(residual)))
    relief = float(np.median(np.abs(seen - np.median(seen))))
    if found[0] <= 0 or usual > np.sqrt(1 - LEAST_EXPLAINED) * relief:
        return None
    wanted = found[0] * (value - middle) + lean @ found[1:]
    return np.asarray(1 / np.maximum(wanted, 1e-3), np.float32), trusted.astype(np.float32)


def _shrink(values: Float) -> Float:
    return np.asarray(cv2.resize(values, (DRAWING_PX, DRAWING_PX), interpolation=cv2.INTER_AREA), np.float32)


def _find_moves(view: _View, wanted: Float, trusted: Float) -> Vector:
    """Return how far each vertex goes along its line of sight, away from the camera."""
    disagreement = np.clip(view.at_vertices(wanted) - view.distance, -FARTHEST, FARTHEST)
    trust = np.asarray((view.at_vertices(trusted) > 0.99) & view.free, np.float64)
    if not trust.any():
        return np.zeros(len(view.distance))
    usual = 1.4826 * float(np.median(np.abs(disagreement[trust > 0])))
    bar = CERTAINTY * max(usual, NOISE)
    even = _smooth_field(view, disagreement, trust)
    sure = even**4 / (even**4 + bar**4)
    moves = _smooth_field(view, disagreement * sure, trust)
    room = np.maximum(view.at_vertices(view.behind) - view.distance, 0.0)
    return np.where(view.free, np.minimum(moves, MAX_PUSH * room), 0.0)


def _smooth_field(view: _View, values: Vector, trust: Vector) -> Vector:
    """Return x that minimises Σ A w (x - values)² + REACH² Σ (x_i - x_j)², held at 0 where vertices are not free.

    A is the area of a vertex, w its trust; the second sum runs over edges.
    """
    index = np.flatnonzero(view.free)
    found = np.zeros(len(values))
    if len(index) == 0:
        return found
    faces, count = view.faces, len(values)
    area = np.bincount(faces.ravel(), np.repeat(np.linalg.norm(face_normals(view.placed, faces), axis=1), 3) / 6, count)
    row, column = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    ends = np.concatenate([row, column]), np.concatenate([column, row])
    links = sparse.coo_matrix((np.full(2 * len(row), 0.5), ends), (count, count)).tocsr()
    laplacian = sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links
    mass = area * trust
    matrix = (sparse.diags(mass + 1e-9) + REACH**2 * laplacian).tocsr()[index][:, index]
    diagonal = matrix.diagonal()
    scaled = sparse.diags(1 / diagonal)
    solved, _ = linalg.cg(matrix, (mass * values)[index], M=scaled, rtol=1e-4, maxiter=500)
    found[index] = solved
    return found


def _back_off(view: _View, moves: Vector) -> Vector:
    """Return the moves, smaller where a face would turn too far or become nothing."""
    before = face_normals(view.placed, view.faces)
    length = np.linalg.norm(before, axis=1)
    touched = (moves[view.faces] != 0).any(axis=1) & (length > 0)
    moves = moves.copy()
    for attempt in range(BACK_OFF_ROUNDS):
        after = face_normals(view.placed + view.sight * moves[:, None], view.faces)
        cosine = np.einsum("ij,ij->i", before, after) / np.maximum(length * np.linalg.norm(after, axis=1), 1e-30)
        bad = view.faces[touched & (cosine < SAME_SIDE)]
        if len(bad) == 0:
            return moves
        moves[np.unique(bad)] *= 0.5 if attempt < BACK_OFF_ROUNDS - 2 else 0.0
    return moves


def _count_torn(vertices: Points, faces: Faces) -> int:
    """Return how many edges lack their partner once the mesh is written with six decimals."""
    merged = merge_by_position(normalise(Mesh(vertices, faces)).vertices, faces)[1].astype(np.int64)
    start, end = merged, np.roll(merged, -1, axis=1)
    size = int(merged.max()) + 1 if len(merged) else 1
    return len(np.setxor1d((start * size + end).ravel(), (end * size + start).ravel()))


def _noted(mesh: Mesh, note: str) -> Mesh:
    return replace(mesh, notes=(*mesh.notes, note))
