"""The named variants of a mask, and of the mesh made from it: the steps one by one, the strategies, and the ablations.

Each is compared with `final`, the product as it stands: refined, fused by `auto`, matted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Picture = Literal["raw", "segmentation", "hybrid", "result", "exact"]
"""Which picture of an answer is the mask: segmentation's before and after refinement, the fused one, the finished one;
or none, and the exact mask is taken."""
Strategy = Literal["auto", "depth_guided", "intersection", "union", "segmentation"]


@dataclass(frozen=True)
class Request:
    """What the pipeline is asked for.

    Attributes:
        strategy: of the fusion.
        depth: whether depth plays any part; without, the mesh has no relief either.
        grabcut: whether the refinement chain has its GrabCut step.
        refine: whether the chain runs at all. No request of the product can leave it out: only in process.
    """

    strategy: Strategy = "auto"
    depth: bool = True
    grabcut: bool = True
    refine: bool = True


FINAL = Request()
WITHOUT_DEPTH = Request(depth=False)


@dataclass(frozen=True)
class Variant:
    """How a mask is made.

    Attributes:
        name: part of the names of output files.
        says: one phrase for tables.
        picture: which picture of the answer is the mask.
        request: what is asked for.
        is_about_depth: it differs from others only where there is depth.
    """

    name: str
    says: str
    picture: Picture
    request: Request = FINAL
    is_about_depth: bool = False


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("plain", "raw mask, no depth at all", "raw", WITHOUT_DEPTH, is_about_depth=True),
        Variant("raw", "raw mask", "raw"),
        Variant("refined", "refined mask", "segmentation"),
        Variant("fused", "refined, fused with depth (auto); final without matting", "hybrid"),
        Variant(
            "fused_depth_guided",
            "refined, fused by depth_guided",
            "hybrid",
            Request("depth_guided"),
            is_about_depth=True,
        ),
        Variant(
            "fused_intersection",
            "refined, fused by intersection",
            "hybrid",
            Request("intersection"),
            is_about_depth=True,
        ),
        Variant("fused_union", "refined, fused by union", "hybrid", Request("union"), is_about_depth=True),
        Variant("final", "refined, fused (auto), matted: the product", "result"),
        Variant("final_without_grabcut", "final, without GrabCut", "result", Request(grabcut=False)),
        Variant("final_without_refinement", "final, without the refinement chain", "result", Request(refine=False)),
        Variant("final_without_depth", "final, without depth", "result", WITHOUT_DEPTH, is_about_depth=True),
        Variant("exact", "exact mask, with depth: the ceiling", "exact"),
    )
}
MASK_VARIANTS = tuple(name for name in VARIANTS if name not in ("plain", "exact"))
MESH_VARIANTS = ("plain", "raw", "refined", "final", "final_without_depth", "exact")
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
