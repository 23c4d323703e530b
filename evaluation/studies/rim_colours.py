"""Whether the background's colours cling to the rim of a mesh.

Of the vertices that face the camera and fall within 3 px of the exact outline (in a frame of 512 px), the share whose
colour is nearer to that of the surroundings than to that of the subject. Either colour is a mean near by, 5 px and more
off the outline; where both are alike nothing can cling, and nothing is counted.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from evaluation.studies.framed_item import FramedItem
from services.common.arrays import RGB, BoolMask, Float
from services.mesher.geometry.camera import project
from services.mesher.geometry.mesh import Mesh, vertex_normals
from services.mesher.geometry.placement import place_before_camera
from services.mesher.texture.vertex_colours import facing_camera, solid_pixels

RIM_PX = 3.0
CLEAR_PX = 5  # off the outline, from where colours are pure
NEAR_PX = 25  # side of the square over which they are averaged
ALIKE = 30.0  # grey levels, Euclidean over three channels


def rim_share(mesh: Mesh, framed: FramedItem) -> float:
    """Return the share, 0 to 1, of rim vertices coloured like the background; 0 where nothing can be told."""
    assert mesh.colours is not None
    subject, surroundings, rim = rim_references(framed)
    alpha = framed.rgba[..., 3].astype(np.float32) / 255.0
    vertices = place_before_camera(mesh.vertices, alpha, framed.camera)
    pixels = np.clip(np.rint(project(vertices, framed.camera) - 0.5).astype(np.int64), 0, rim.shape[0] - 1)
    column, row = pixels[:, 0], pixels[:, 1]
    counted = rim[row, column] & (facing_camera(vertices, vertex_normals(vertices, mesh.faces)) > 0)
    if not counted.any():
        return 0.0
    colours = mesh.colours[counted].astype(np.float32)
    row, column = row[counted], column[counted]
    to_subject = np.linalg.norm(colours - subject[row, column], axis=1)
    to_surroundings = np.linalg.norm(colours - surroundings[row, column], axis=1)
    return float(np.mean(to_surroundings < to_subject))


def rim_references(framed: FramedItem) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], BoolMask]:
    """Return the (S, S, 3) colours of the subject and of what surrounds it near each pixel, and the rim's pixels."""
    mask = framed.exact >= 0.5
    inner = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outer = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    subject, known = _mean_near(framed.photo, solid_pixels(mask, CLEAR_PX))
    surroundings, free = _mean_near(framed.photo, ~mask & (outer > CLEAR_PX))
    apart = np.linalg.norm(subject - surroundings, axis=2) > ALIKE
    rim = mask & (inner <= RIM_PX) & (known > 0.02) & (free > 0.02) & apart
    return subject, surroundings, np.asarray(rim, dtype=np.bool_)


def _mean_near(photo: RGB, chosen: BoolMask) -> tuple[npt.NDArray[np.float32], Float]:
    size = (NEAR_PX, NEAR_PX)
    share = cv2.blur(chosen.astype(np.float32), size)
    total = cv2.blur(np.where(chosen[..., None], photo, 0).astype(np.float32), size)
    mean = total / np.maximum(share, 1e-6)[..., None]
    return np.asarray(mean, dtype=np.float32), np.asarray(share, dtype=np.float32)
