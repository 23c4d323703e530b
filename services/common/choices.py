"""The words that a caller may choose among, each list once: for options, algorithms and doors alike."""

from __future__ import annotations

from typing import Literal, TypeAlias

Preset: TypeAlias = Literal["fast", "balanced", "quality"]
Strategy: TypeAlias = Literal["auto", "depth_guided", "intersection", "union", "segmentation"]
DepthQuality: TypeAlias = Literal["standard", "high"]
ImageFormat: TypeAlias = Literal["png", "webp", "tiff", "jpeg"]
MetadataMode: TypeAlias = Literal["all", "no-gps", "none"]
MeshFormat: TypeAlias = Literal["glb", "obj", "ply", "stl"]
Texture: TypeAlias = Literal["vertex", "baked"]
Placement: TypeAlias = Literal["centred", "standing"]
