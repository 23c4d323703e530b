"""The named ways a mask, and a mesh from it, is made: the stages one by one, the strategies, and the ablations.

Each is compared with `final`, the product as it stands: refined, fused by `auto`, matted.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.orchestrator.fusion.fusion_options import Strategy
from services.segmentation.refine.refine_options import RefineOptions

BALANCED = RefineOptions.for_preset("balanced")
NO_GRABCUT = RefineOptions.for_preset("balanced", use_grabcut=False)


@dataclass(frozen=True)
class Way:
    """How a mask is made.

    Attributes:
        name: part of the names of output files.
        says: one phrase for tables.
        refine: the chain's options; None leaves the raw mask.
        strategy: of the fusion; "segmentation" does not ask depth.
        matting: decide the soft edge anew at full size.
        depth: whether depth plays any part; without, the mesh has no relief either.
        exact: take the exact mask instead of any other: what a perfect mask would give.
        is_about_depth: the way differs from others only where there is depth.
    """

    name: str
    says: str
    refine: RefineOptions | None = BALANCED
    strategy: Strategy = "auto"
    matting: bool = False
    depth: bool = True
    exact: bool = False
    is_about_depth: bool = False


WAYS: dict[str, Way] = {
    way.name: way
    for way in (
        Way(
            "plain", "raw mask, no depth at all", refine=None, strategy="segmentation", depth=False, is_about_depth=True
        ),
        Way("raw", "raw mask", refine=None, strategy="segmentation"),
        Way("refined", "refined mask", strategy="segmentation"),
        Way("fused", "refined, fused with depth (auto); final without matting"),
        Way("fused_depth_guided", "refined, fused by depth_guided", strategy="depth_guided", is_about_depth=True),
        Way("fused_intersection", "refined, fused by intersection", strategy="intersection", is_about_depth=True),
        Way("fused_union", "refined, fused by union", strategy="union", is_about_depth=True),
        Way("final", "refined, fused (auto), matted: the product", matting=True),
        Way("final_without_grabcut", "final, without GrabCut", refine=NO_GRABCUT, matting=True),
        Way("final_without_refinement", "final, without the refinement chain", refine=None, matting=True),
        Way(
            "final_without_depth",
            "final, without depth",
            strategy="segmentation",
            matting=True,
            depth=False,
            is_about_depth=True,
        ),
        Way("exact", "exact mask, with depth: the ceiling", strategy="segmentation", exact=True),
    )
}
MASK_WAYS = tuple(name for name in WAYS if name not in ("plain", "exact"))
MESH_WAYS = ("plain", "raw", "refined", "final", "final_without_depth", "exact")
ABLATIONS: tuple[tuple[str, str], ...] = (
    ("refined", "raw"),
    ("fused", "refined"),
    ("final", "fused"),
    ("final", "raw"),
    ("final", "plain"),
    ("final", "refined"),
    ("final", "final_without_grabcut"),
    ("final", "final_without_refinement"),
    ("final", "final_without_depth"),
    ("fused", "fused_depth_guided"),
    ("fused", "fused_intersection"),
    ("fused", "fused_union"),
)
"""Pairs (with, without) whose differences are reported with confidence intervals."""
