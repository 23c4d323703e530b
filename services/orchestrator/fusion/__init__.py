"""Fusion of mask and depth: `fuse` is the door, everything behind it is pure."""

from services.orchestrator.fusion.fuse import Fused, fuse
from services.orchestrator.fusion.fusion_options import FusionOptions, Percentile

__all__ = ["Fused", "FusionOptions", "Percentile", "fuse"]
