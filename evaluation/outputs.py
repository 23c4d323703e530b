"""Files of a run, by fixed names, so that other tools can score them:

masks/ITEM.WAY.png   8-bit grey      depth/ITEM.png   16-bit grey, larger is nearer
meshes/ITEM.WAY.glb  +X right, +Y up, +Z towards the camera      report.html, figures.json
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.figures import Figures
from evaluation.made import Made
from evaluation.regression import Baseline
from services.common.arrays import InverseDepth


def write_made(out: Path, name: str, made: Made) -> None:
    """Write the masks, the depth and the meshes of one item."""
    for folder in ("masks", "depth", "meshes"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for way, mask in made.masks.items():
        Image.fromarray(mask).save(out / "masks" / f"{name}.{way}.png")
    if made.depth is not None:
        Image.fromarray(_sixteen_bits(made.depth)).save(out / "depth" / f"{name}.png")
    for way, data in made.meshes.items():
        (out / "meshes" / f"{name}.{way}.glb").write_bytes(data)


def write_figures(path: Path, figures: Figures | dict[str, Baseline]) -> None:
    """Write figures as JSON with a line a value, so that changes of committed ones can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _sixteen_bits(depth: InverseDepth) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    seen = np.isfinite(depth)
    low, high = (float(depth[seen].min()), float(depth[seen].max())) if seen.any() else (0.0, 1.0)
    scaled = (np.where(seen, depth, low) - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(scaled * 65535), dtype=np.uint16)
