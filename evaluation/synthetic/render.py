"""Draw a stage with Mitsuba 3: the photo's light, the exact coverage, the exact depth.

Mitsuba (BSD-3-Clause) and its denoiser are needed here only: `pip install "mitsuba>=3.9" mitsuba-oidn`. The
`llvm_ad_rgb` variant is four times as fast and is used where Mitsuba can load a working LLVM (`DRJIT_LIBLLVM_PATH`
names one); `scalar_rgb` works everywhere. The two draw the same pictures except for the last bits of noise.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.synthetic.materials import Material
from evaluation.synthetic.solids import Solid, smooth_normals
from evaluation.synthetic.stage import Camera, Lamp, Stage

Light = npt.NDArray[np.float32]

COVERAGE_GRID = 8  # rays a pixel and direction for the coverage
MAX_BOUNCES = 7

_PROBE = """
import mitsuba as mi
mi.set_variant("llvm_ad_rgb")
scene = mi.load_dict({"type": "scene", "i": {"type": "path"}, "e": {"type": "constant"}, "s": {"type": "sphere"},
    "c": {"type": "perspective", "film": {"type": "hdrfilm", "width": 4, "height": 4}}})
print(float(mi.TensorXf(mi.render(scene, spp=1)).array[0]))
"""


@dataclass(frozen=True)
class Drawing:
    """What the renderer gives.

    Attributes:
        light: (H, W, 3) float32, linear scene light, denoised.
        coverage: (H, W) float32 in [0, 1], the share of each pixel where the subject is seen first.
        depth: (H, W) float32, distance along the view axis to the first surface at the pixel centre; inf where none.
    """

    light: Light
    coverage: Light
    depth: Light


def draw(stage: Stage, samples: int = 16, seed: int = 0) -> Drawing:
    """Return the light, the subject's coverage and the depth of a stage.

    Args:
        stage: What to draw.
        samples: Paths a pixel before denoising.
        seed: Of the sampling noise.
    Raises:
        ModuleNotFoundError: Mitsuba or its denoiser is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _draw(stage, samples, seed, Path(folder))


@functools.cache
def mitsuba() -> Any:
    """Return the Mitsuba module with the fastest variant that works here."""
    import mitsuba as mi

    # A broken LLVM ends the process instead of raising, hence the probe in a process of its own.
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, check=False, env=dict(os.environ))
    mi.set_variant("llvm_ad_rgb" if probe.returncode == 0 else "scalar_rgb")
    return mi


def _draw(stage: Stage, samples: int, seed: int, folder: Path) -> Drawing:
    mi = mitsuba()
    import mitsuba_oidn

    meshes = [
        _write_ply(thing.solid, folder / f"{k}.ply") for k, thing in enumerate(stage.subject + stage.surroundings)
    ]
    lit = _scene(stage, meshes, _film(stage.camera), {"type": "independent", "sample_count": samples}, lit=True)
    lit["integrator"] = {
        "type": "aov", "aovs": "albedo:albedo,normal:sh_normal", "light": {"type": "path", "max_depth": MAX_BOUNCES},
    }  # fmt: skip
    layers = np.array(mi.render(mi.load_dict(lit), seed=seed), dtype=np.float32)
    light, albedo, normal = (np.ascontiguousarray(layers[..., k : k + 3]) for k in (0, 3, 6))
    light = np.asarray(mitsuba_oidn.denoise(light, np.clip(albedo, 0.0, 1.0), normal, hdr=True), dtype=np.float32)
    return Drawing(light, _coverage(stage, meshes), _depth(stage, meshes))


def _coverage(stage: Stage, meshes: list[Path]) -> Light:
    """The subject shines, all else is black: what arrives is the share of the pixel that it covers."""
    mi, camera = mitsuba(), stage.camera
    corners = camera.project(np.concatenate([thing.solid.vertices for thing in stage.subject]))
    margin = 2 + int(camera.aperture * camera.focal_px)
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin, low + 1, size)
    film = _film(camera)
    film |= {
        "crop_offset_x": int(low[0]), "crop_offset_y": int(low[1]),
        "crop_width": int(high[0] - low[0]), "crop_height": int(high[1] - low[1]),
    }  # fmt: skip
    grid = {"type": "stratified", "sample_count": COVERAGE_GRID**2, "jitter": False}
    plain = _scene(stage, meshes, film, grid, lit=False)
    plain["integrator"] = {"type": "path", "max_depth": 1}
    seen = np.array(mi.render(mi.load_dict(plain)), dtype=np.float32)[..., 0]
    coverage = np.zeros((camera.height, camera.width), dtype=np.float32)
    coverage[low[1] : high[1], low[0] : high[0]] = np.clip(seen, 0.0, 1.0)
    return coverage


def _depth(stage: Stage, meshes: list[Path]) -> Light:
    """One ray through each pixel centre."""
    mi, camera = mitsuba(), stage.camera
    pinhole = Camera(camera.position, camera.target, camera.width, camera.height, camera.fov_x_degrees)
    centre = {"type": "stratified", "sample_count": 1, "jitter": False}
    stage = Stage(stage.subject, stage.surroundings, pinhole, stage.environment)
    plain = _scene(stage, meshes, _film(pinhole), centre, lit=False)
    plain["integrator"] = {"type": "aov", "aovs": "at:position,far:depth"}
    layers = np.array(mi.render(mi.load_dict(plain)), dtype=np.float64)
    at = layers[..., -4:-1].reshape(-1, 3)
    z = -pinhole.to_camera(at)[:, 2].reshape(camera.height, camera.width)
    return np.where(layers[..., -1] > 0.0, z, np.inf).astype(np.float32)


def _scene(
    stage: Stage, meshes: list[Path], film: dict[str, Any], sampler: dict[str, Any], lit: bool
) -> dict[str, Any]:
    mi = mitsuba()
    camera = stage.camera
    matrix = np.eye(4)
    matrix[:3, :3] = (camera.rotation * np.array([[-1.0], [1.0], [-1.0]])).T  # Mitsuba's cameras look along +z, x left
    matrix[:3, 3] = camera.position
    sensor = {
        "type": "perspective", "fov": camera.fov_x_degrees, "fov_axis": "x", "near_clip": 0.01, "far_clip": 1e4,
        "to_world": mi.ScalarTransform4f(matrix), "film": film, "sampler": sampler,
    }  # fmt: skip
    if camera.aperture > 0.0:
        distance = float(np.linalg.norm(camera.position - camera.target))
        sensor |= {"type": "thinlens", "aperture_radius": camera.aperture, "focus_distance": distance}
    scene: dict[str, Any] = {"type": "scene", "sensor": sensor}
    for k, (thing, path) in enumerate(zip(stage.subject + stage.surroundings, meshes, strict=True)):
        shape: dict[str, Any] = {"type": "ply", "filename": str(path)}
        shape["bsdf"] = (
            _bsdf(thing.material) if lit else {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}
        )
        if not lit and k < len(stage.subject):
            shape["emitter"] = {"type": "area", "radiance": {"type": "rgb", "value": 1.0}}
        scene[f"thing{k}"] = shape
    if lit:
        scene["environment"] = _surround(stage)
        scene |= {f"lamp{k}": _lamp(lamp) for k, lamp in enumerate(stage.lamps)}
    return scene


def _film(camera: Camera) -> dict[str, Any]:
    return {
        "type": "hdrfilm", "width": camera.width, "height": camera.height, "rfilter": {"type": "box"},
        "pixel_format": "rgb", "component_format": "float32",
    }  # fmt: skip


def _surround(stage: Stage) -> dict[str, Any]:
    """Column 0.5 of the environment is what the camera (standing at +z, looking along -z) sees ahead."""
    mi = mitsuba()
    return {
        "type": "envmap", "bitmap": mi.Bitmap(np.ascontiguousarray(stage.environment)),
        "to_world": mi.ScalarTransform4f().rotate([0, 1, 0], 180.0),
    }  # fmt: skip


def _lamp(lamp: Lamp) -> dict[str, Any]:
    mi = mitsuba()
    place = mi.ScalarTransform4f().look_at(lamp.position.tolist(), lamp.towards.tolist(), [0.0, 1.0, 0.01])
    half = mi.ScalarTransform4f().scale([lamp.size[0] / 2.0, lamp.size[1] / 2.0, 1.0])
    return {
        "type": "rectangle", "to_world": place @ half,
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": lamp.radiance.tolist()}},
    }  # fmt: skip


def _bsdf(material: Material) -> dict[str, Any]:
    mi = mitsuba()
    base: dict[str, Any] = {
        "type": "principled", "roughness": material.roughness, "metallic": material.metallic,
        "specular": material.specular, "clearcoat": material.clearcoat, "clearcoat_gloss": 0.97,
        "sheen": material.sheen,
    }  # fmt: skip
    if not material.is_textured:
        return base | {"base_color": {"type": "rgb", "value": material.colour.tolist()}}
    repeat = mi.ScalarTransform4f().scale(1.0 / material.tile)
    picture = np.ascontiguousarray(material.colour, dtype=np.float32)
    base["base_color"] = {"type": "bitmap", "bitmap": mi.Bitmap(picture), "raw": True, "to_uv": repeat}
    if material.bump <= 0.0:
        return base
    relief = picture.mean(axis=2, keepdims=True) / max(float(picture.mean()), 1e-6)
    height = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(relief)), "raw": True, "to_uv": repeat}
    return {"type": "bumpmap", "height": height, "scale": material.bump, "bsdf": base}


def _write_ply(solid: Solid, path: Path) -> Path:
    rows = np.empty(len(solid.vertices), dtype=[(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz", "u", "v")])
    columns = np.concatenate([solid.vertices, smooth_normals(solid), solid.uv], axis=1)
    for name, column in zip(rows.dtype.names or (), columns.T, strict=True):
        rows[name] = column
    faces = np.empty(len(solid.faces), dtype=[("n", "u1"), ("v", "<i4", 3)])
    faces["n"], faces["v"] = 3, solid.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    header += [f"property float {name}" for name in rows.dtype.names or ()]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + rows.tobytes() + faces.tobytes())
    return path
