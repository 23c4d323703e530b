"""Write one scene folder: photo, alpha, depth, simulated depth, mesh, meta."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from evaluation.synthetic import film
from evaluation.synthetic.compose import Scene
from evaluation.synthetic.render import Drawing
from evaluation.synthetic.simulate_depth import Options as DepthOptions
from evaluation.synthetic.simulate_depth import Simulated, simulate_depth
from evaluation.synthetic.truth import Truth, exact_mesh, is_closed, merged, write_ply


@dataclass(frozen=True)
class Options:
    """How much is kept.

    Attributes:
        most_faces: Triangles of the exact mesh, at most.
        quality: JPEG quality of the photo.
        depth_levels: Steps of the simulated depth.
        depth_bits: Bits of the depth's mantissa that are kept, 10 are all of float16; fewer compress better.
    """

    most_faces: int = 10_000
    quality: int = 90
    depth_levels: int = 384
    depth_bits: int = 10


def write_scene(scene: Scene, drawing: Drawing, folder: Path, options: Options | None = None) -> None:
    """Write the files of one scene into `folder`, which is made.

    Raises:
        ModuleNotFoundError: manifold3d is not installed.
    """
    chosen = options or Options()
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([scene.seed, 21])
    photo = film.develop(drawing.light, rng, film.Options(key=float(rng.uniform(0.24, 0.38))))
    Image.fromarray(photo).save(folder / "photo.jpg", quality=chosen.quality, optimize=True)
    alpha = np.rint(255.0 * drawing.coverage).astype(np.uint8)
    Image.fromarray(alpha).save(folder / "alpha.png", optimize=True)
    seen = np.isfinite(drawing.depth)
    far = round(1.5 * float(drawing.depth[seen].max()), 4)
    z = _rounded(np.where(seen, drawing.depth, far), chosen.depth_bits)
    np.savez_compressed(folder / "depth.npz", z=z)
    simulated = simulate_depth(drawing.depth, photo, rng, DepthOptions(levels=chosen.depth_levels))
    np.savez_compressed(folder / "inverse_depth.npz", d=simulated.inverse_depth)
    truth = exact_mesh([thing.solid for thing in scene.stage.subject], scene.stage.camera, chosen.most_faces)
    write_ply(truth.vertices, truth.faces, folder / "mesh.ply")
    text = json.dumps(_meta(scene, alpha, far, simulated, truth), indent=1)
    (folder / "meta.json").write_text(text + "\n", encoding="utf-8")


def _meta(
    scene: Scene, alpha: npt.NDArray[np.uint8], far: float, simulated: Simulated, truth: Truth
) -> dict[str, object]:
    camera = scene.stage.camera
    box = _box(alpha >= 128)
    sides = {
        "left": box[0] == 0,
        "top": box[1] == 0,
        "right": box[2] == camera.width,
        "bottom": box[3] == camera.height,
    }
    seen = (("holes", _has_hole(alpha)), ("touching_frame", any(sides.values())))
    tags = [*(tag for tag in scene.tags if tag != "plain"), *(name for name, on in seen if on)]
    return {
        "id": scene.name,
        "tags": tags or ["plain"],
        "image": {"width": camera.width, "height": camera.height},
        "camera": {
            "model": "pinhole", "fx": round(camera.focal_px, 4), "fy": round(camera.focal_px, 4),
            "cx": camera.width / 2.0, "cy": camera.height / 2.0, "fov_x_degrees": round(camera.fov_x_degrees, 4),
        },
        "elevation_degrees": round(scene.elevation_degrees, 3),
        "up_in_camera": [round(float(v), 6) for v in camera.rotation @ np.array([0.0, 1.0, 0.0])],
        "mesh_to_camera": {"scale": round(truth.scale, 6), "offset": [round(float(v), 6) for v in truth.offset]},
        "depth": {"far_clip": far, "key": "z", "unit": "scene unit (subject about 1)"},
        "inverse_depth": {
            "key": "d", "simulated": True, "scale": simulated.scale, "shift": simulated.shift,
            "levels": simulated.levels,
        },
        "coverage": round(float(alpha.mean()) / 255.0, 4),
        "box": box,
        "touches": [name for name, on in sides.items() if on],
        "mesh": {
            "faces": len(truth.faces), "watertight": is_closed(merged(truth.vertices, truth.faces)),
            "merged_parts": True,
            "extents": [round(float(v), 4) for v in np.ptp(truth.vertices, axis=0)],
        },
        "source": "procedural (evaluation.synthetic)",
        "seed": scene.seed,
    }  # fmt: skip


def _has_hole(alpha: npt.NDArray[np.uint8]) -> bool:
    """Whether background is seen through the subject, on at least 0.02 % of the picture."""
    pieces, count = ndimage.label(np.pad(alpha < 64, 1, constant_values=True))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[[0, pieces[0, 0]]] = 0
    return bool(sizes.max() >= 2e-4 * alpha.size)


def _box(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Left, top, right, bottom of what is True; right and bottom are one past."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return [0, 0, 0, 0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _rounded(z: npt.NDArray[np.floating], bits: int) -> npt.NDArray[np.float16]:
    """float16 with a mantissa of `bits` bits, rounded to the nearest."""
    mantissa, exponent = np.frexp(z.astype(np.float64))
    steps = 2.0 ** (bits + 1)
    return np.asarray(np.ldexp(np.rint(mantissa * steps) / steps, exponent), dtype=np.float16)
