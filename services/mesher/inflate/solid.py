"""The embedded mesher: a closed, coloured solid from a cutout and, where there is one, a relative depth map.

Silhouette → front sheet (depth, or a bulge) → back sheet (a bulge behind the rim, never behind the floor) → volume →
surface. Without depth it is symmetric.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.common.arrays import RGBA, Alpha, BoolMask, Faces, Float, InverseDepth, Points
from services.common.errors import InvalidImage, InvalidOption, NoSubject
from services.mesher.depth_guidance.depth_validity import is_depth_valid
from services.mesher.geometry.camera import Camera, project
from services.mesher.geometry.mesh import Mesh, normalise, signed_volume, vertex_normals
from services.mesher.geometry.simplification import simplify
from services.mesher.geometry.smoothing import smooth_taubin
from services.mesher.geometry.subject_mask import subject_mask
from services.mesher.inflate.body import fit_body
from services.mesher.inflate.membrane import Membrane
from services.mesher.inflate.seen_side import SeenSide, read_seen_side
from services.mesher.inflate.silhouette import Silhouette, trace_silhouette
from services.mesher.inflate.thickness import circle_profile, dome, poisson_bulge, round_rim
from services.mesher.inflate.volume import build_surface, carry_to_space
from services.mesher.texture.vertex_colours import clean_palette, facing_camera, paint

FACES = 60_000  # unless told: a mesh of some megabytes, and cells of a two-hundredth of the subject
FACE_LIMITS = (2_000, 500_000)
SMOOTHING_ROUNDS = 6  # the steps of the grid go, edges of a few cells stay
BACK_BULGE = 1.5  # of the outline's half-thickness, behind the rim
MIN_BULGE = 0.7  # of it, the least thickness behind a front read from depth
COARSER_TRIES = 4  # where a surface is over the budget and cannot be simplified without tearing it
COARSER = 0.95  # of the cells that would just do
MIN_VIEW_DEPTH = 0.2  # of the span, without depth: hardly any subject is flatter than that
# Tall things stand upright, and photos look down at them: their tops lean towards the camera. Measured without depth on
# 24 + 24 scenes, F@0.1 as the mesh stands: 0.536 + 0.538 without, 0.541 + 0.575 with 10°, 0.532 + 0.577 with 15°.
LEAN_DEGREES = 10.0
TALL = (1.0, 1.25)  # height over width at which the lean begins, and from which it is whole; wide things lie and lose
ROUNDING_SHARE = 0.03  # of the span
BODY_SHARE = 0.7  # of the far side that a round body decides where depth looks like one


def inflate(rgba: RGBA, depth: InverseDepth | None, camera: Camera, max_faces: int = FACES) -> Mesh:
    """Return a watertight, outward-oriented, coloured mesh of the subject.

    Args:
        rgba: (H, W, 4) uint8 framed cutout, straight alpha; rgb outside the subject is not used.
        depth: (H, W) float32 inverse depth of the same frame, larger is nearer, scale unknown, NaN where unseen; or
            None. A map that says nothing about the subject (constant, inverted, of another photo) is set aside.
        camera: of the frame.
        max_faces: 2,000 to 500,000; the grid is as fine as this allows.

    Returns:
        A `Mesh` in the convention of `services.mesher.geometry.mesh`, with vertex colours.

    Raises:
        NoSubject: the alpha is empty.
        InvalidImage: the arrays do not fit each other.
        InvalidOption: a focal length or a number of faces out of its range.

    >>> from services.mesher.geometry.mesh import is_watertight
    >>> v, u = np.mgrid[:64, :64] + 0.5
    >>> rgba = np.full((64, 64, 4), 200, np.uint8)
    >>> rgba[..., 3] = np.where(np.hypot(u - 32, v - 32) < 25, 255, 0)
    >>> ball = inflate(rgba, None, Camera(focal_px=90, cx=32, cy=32), max_faces=4000)
    >>> is_watertight(ball.faces), len(ball.faces) <= 4000
    (True, True)
    >>> np.ptp(ball.vertices, axis=0).round(1).tolist()  # nearly as deep as it is wide
    [1.0, 1.0, 0.9]
    """
    _check(rgba, depth, camera, max_faces)
    alpha = rgba[..., 3].astype(np.float32) / 255.0
    frame_mask = subject_mask(alpha)
    if not frame_mask.any():
        raise NoSubject("the cutout is empty: no pixel is at least half covered")
    if depth is not None and not is_depth_valid(depth, frame_mask, camera):
        depth = None

    vertices, faces, span = _build(alpha, frame_mask, depth, camera, max_faces, None)
    for _ in range(COARSER_TRIES):
        if len(faces) <= max_faces:
            break
        coarser = COARSER * span * float(np.sqrt(max_faces / len(faces)))
        vertices, faces, span = _build(alpha, frame_mask, depth, camera, max_faces, coarser)
    sharp, soft = clean_palette(rgba)
    facing = facing_camera(vertices, vertex_normals(vertices, faces))
    colours = paint(project(vertices, camera), facing, sharp, soft)
    notes: tuple[str, ...] = ()
    if len(faces) > max_faces:
        notes = (f"left at {len(faces)} faces: with {max_faces} it would not stay closed",)
    return normalise(Mesh(vertices, faces, colours, notes=notes))


def _build(
    alpha: Alpha,
    frame_mask: BoolMask,
    depth: InverseDepth | None,
    camera: Camera,
    max_faces: int,
    span: float | None,
) -> tuple[Points, Faces, float]:
    """Return the closed surface in the camera's space, and the cells along the subject: `span`, or what fits."""
    silhouette = trace_silhouette(alpha, max_faces, span)
    if depth is None:
        front, back = _sheets_from_outline(silhouette, camera)
    else:
        front, back = _sheets_from_depth(silhouette, read_seen_side(depth, silhouette, frame_mask, camera))
    cells, faces = build_surface(front, back, silhouette)
    cells = smooth_taubin(cells, faces, SMOOTHING_ROUNDS)
    vertices = carry_to_space(cells, silhouette, camera)
    if signed_volume(vertices, faces) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return *simplify(vertices, faces, max_faces), silhouette.span


def _sheets_from_outline(silhouette: Silhouette, camera: Camera) -> tuple[Float, Float]:
    """Return front and back, mirror images of each other about a plane through the focal length.

    It faces the camera, or leans towards it with the top of what is tall. Only nets of wire, which would be flat, stand
    out from it as a dome.
    """
    half = circle_profile(silhouette)
    middle = camera.focal_px / silhouette.cell_px + _upright_lean(silhouette)
    missing = MIN_VIEW_DEPTH * silhouette.span - 2 * float(half.max())
    if missing > 0:
        middle -= dome(silhouette, missing)
    return middle - half, middle + half


def _upright_lean(silhouette: Silhouette) -> Float:
    """Return (h, w) float32 how much farther than its middle each row of a tall outline is likely to be, in cells."""
    rows, columns = (np.flatnonzero(silhouette.mask.any(axis=axis)) for axis in (1, 0))
    tall = float(rows[-1] - rows[0] + 1) / float(columns[-1] - columns[0] + 1)
    share = np.clip((tall - TALL[0]) / (TALL[1] - TALL[0]), 0.0, 1.0)
    slope = float(np.tan(np.radians(LEAN_DEGREES * share)))
    down = np.arange(silhouette.mask.shape[0], dtype=np.float32) - np.float32(np.nonzero(silhouette.mask)[0].mean())
    return np.asarray(slope * down[:, None] + np.zeros(silhouette.mask.shape, np.float32), dtype=np.float32)


def _sheets_from_depth(silhouette: Silhouette, seen_side: SeenSide) -> tuple[Float, Float]:
    """Return the front as depth has it, and a back that bulges behind the rim but not through the floor."""
    membrane = Membrane(silhouette.mask)
    half = poisson_bulge(membrane, silhouette)
    drawn_back, at_rim = round_rim(half, silhouette, ROUNDING_SHARE * silhouette.span)
    room = np.maximum(seen_side.floor - seen_side.front, 0.0)
    seen = seen_side.front + np.minimum(drawn_back, room)
    outside = _spread(seen_side.front + np.minimum(at_rim, room), silhouette)
    middle = membrane.harmonic(outside)
    thinnest = seen + MIN_BULGE * half
    back = np.maximum(middle + BACK_BULGE * half, thinnest)
    body = fit_body(seen_side.front, silhouette)
    back = np.maximum(back + BODY_SHARE * body.belief * (body.back - back), thinnest)
    back = np.minimum(back, np.maximum(seen_side.floor, seen))
    front = np.where(silhouette.mask, seen, outside)
    return front.astype(np.float32), np.where(silhouette.mask, back, outside).astype(np.float32)


def _spread(values: Float, silhouette: Silhouette) -> Float:
    """Return the values with every cell outside the silhouette set to that of the nearest cell inside."""
    _, label = cv2.distanceTransformWithLabels(
        (~silhouette.mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    lookup = np.zeros(int(label.max()) + 1, dtype=np.float32)
    lookup[label[silhouette.mask]] = values[silhouette.mask]
    return np.asarray(lookup[label], dtype=np.float32)


def _check(rgba: RGBA, depth: InverseDepth | None, camera: Camera, max_faces: int) -> None:
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise InvalidImage(f"the cutout is {rgba.dtype} of shape {rgba.shape}; wanted (H, W, 4) uint8")
    if depth is not None and depth.shape != rgba.shape[:2]:
        raise InvalidImage(f"the depth map has shape {depth.shape}; the cutout has {rgba.shape[:2]}")
    if not camera.focal_px > 0:
        raise InvalidOption(f"focal length is {camera.focal_px} px; wanted above 0", field="focal_px")
    if not FACE_LIMITS[0] <= max_faces <= FACE_LIMITS[1]:
        raise InvalidOption(f"max_faces is {max_faces}; wanted {FACE_LIMITS[0]} to {FACE_LIMITS[1]}", field="max_faces")
