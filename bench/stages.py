"""What each algorithm costs at one megapixel, without networks and without services."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.section import Section
from bench.timing import Spread, measure
from services.common.arrays import Alpha
from services.common.photos.decoding import Photo, decode_photo
from services.mesher.export import export
from services.mesher.geometry.camera import Camera
from services.mesher.inflate import inflate
from services.mesher.quality import inspect
from services.orchestrator.cutout.cut import PRESETS, cut_out
from services.orchestrator.framing import FramingOptions, frame_subject
from services.orchestrator.fusion import FusionOptions, fuse
from services.orchestrator.output.encoding import encode_png
from services.segmentation.backends.grabcut import GrabCut
from services.segmentation.refine.chain import RefineOptions, refine

_PIPELINE = {
    "decode", "segment: grabcut", "refine: balanced", "fuse: auto", "cut out: balanced", "encode: png", "frame",
    "mesh: inflate, with depth", "gate", "export: glb",
}  # fmt: skip


def time_stages(photo: Path, runs: int) -> Section:
    """Return the time of every step on one photo, in the order of the pipeline."""
    steps = _time_steps(photo, runs)
    whole = sum(row.median for name, row in steps.items() if name in _PIPELINE)
    rows = [(name, row.ms(), f"{row.median / whole:.0%}" if name in _PIPELINE else "") for name, row in steps.items()]
    return Section(
        title="Algorithms, one megapixel, in process",
        method=f"`{photo.name}`; medians of {runs} runs in milliseconds, 10th to 90th percentile in brackets. Machines "
        "differ: read the shares.",
        columns=("step", "ms", "share of the pipeline"),
        rows=tuple(rows),
    )


def _time_steps(photo: Path, runs: int) -> dict[str, Spread]:
    data = photo.read_bytes()
    decoded = decode_photo(data)
    rgb = decoded.working
    network = GrabCut()
    raw = network.segment(rgb).alpha
    rows = {
        "decode": measure(lambda: decode_photo(data), runs),
        "segment: grabcut": measure(lambda: network.segment(rgb), runs),
    }
    for preset in ("fast", "balanced", "quality"):
        options = RefineOptions.for_preset(preset)
        rows[f"refine: {preset}"] = measure(lambda options=options: refine(rgb, raw, options), runs)  # type: ignore[misc]
    alpha = refine(rgb, raw, RefineOptions.for_preset("balanced")).alpha
    depth = _ramp(alpha)
    rows["fuse: auto"] = measure(lambda: fuse(rgb, alpha, depth, FusionOptions()), runs)
    rows["cut out: fast"] = measure(lambda: cut_out(decoded.pixels, alpha, PRESETS["fast"]), runs)
    rows["cut out: balanced"] = measure(lambda: cut_out(decoded.pixels, alpha, PRESETS["balanced"]), runs)
    return rows | _time_mesh(decoded, alpha, depth, runs)


def _time_mesh(photo: Photo, alpha: Alpha, depth: Alpha, runs: int) -> dict[str, Spread]:
    cut = cut_out(photo.pixels, alpha, PRESETS["balanced"])
    foreground = np.asarray(cut.foreground, dtype=np.uint8)
    frame = frame_subject(foreground, cut.alpha, depth, FramingOptions())
    camera = Camera(frame.focal_px, frame.cx, frame.cy)
    mesh = inflate(frame.rgba, frame.depth, camera)
    framed_alpha = frame.rgba[:, :, 3].astype(np.float32) / np.float32(255)
    rgba = np.dstack([foreground, np.rint(cut.alpha * 255).astype(np.uint8)])
    return {
        "encode: png": measure(lambda: encode_png(rgba), runs),
        "frame": measure(lambda: frame_subject(foreground, cut.alpha, depth, FramingOptions()), runs),
        "mesh: inflate, with depth": measure(lambda: inflate(frame.rgba, frame.depth, camera), runs),
        "mesh: inflate, without": measure(lambda: inflate(frame.rgba, None, camera), runs),
        "gate": measure(lambda: inspect(mesh, framed_alpha, camera, frame.depth), runs),
        "export: glb": measure(lambda: export(mesh, "glb"), runs),
    }


def _ramp(alpha: Alpha) -> Alpha:
    """A floor that comes nearer downwards, and the subject before it."""
    rows = np.linspace(0, 1, alpha.shape[0], dtype=np.float32)[:, None]
    return np.asarray(np.broadcast_to(rows, alpha.shape) + 0.5 * alpha, dtype=np.float32)
