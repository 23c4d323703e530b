"""The words that a caller may choose among, each list once."""

from __future__ import annotations

from typing import Literal

Preset = Literal["fast", "balanced", "quality"]
Strategy = Literal["auto", "depth_guided", "intersection", "union", "segmentation"]
ImageFormat = Literal["png", "webp", "tiff", "jpeg"]
MeshFormat = Literal["glb", "obj", "ply", "stl"]
Texture = Literal["vertex", "baked"]
Placement = Literal["centred", "standing"]
DepthQuality = Literal["standard", "high"]
