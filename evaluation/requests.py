"""The requests that make an item's variants, and what their answers hold, in process and through the services.

One answer shows the raw, the refined, the fused and the finished mask, so variants of one request share it. A mesh of
an unmatted or the exact mask is asked for with that mask as the caller's own, which the pipeline takes as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from evaluation.outputs import Bytes2D, Outputs
from evaluation.sets import Item
from evaluation.variants import FINAL, VARIANTS, Request, Variant
from services.common.arrays import alpha_to_bytes
from services.common.photos.decoding import decode_depth, decode_mask
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import segmentation_pb2

TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Plan:
    """What is made of each item.

    Attributes:
        mask_variants: names of `VARIANTS` whose masks are made.
        mesh_variants: names of those that are meshed.
        segmenter: the backend that masks items without a supplied mask, or `SIMULATED`.
        mesher: the mesher, or "none".
        disturbance: seed of a slight noise on the photo, to see how far figures move by chance; None leaves it.
    """

    mask_variants: tuple[str, ...]
    mesh_variants: tuple[str, ...]
    segmenter: str = "grabcut"
    mesher: str = "inflate"
    disturbance: int | None = None

    def for_item(self, item: Item) -> Plan:
        """Return the plan without what would tell nothing new of `item`: depth's ablations where it has no depth, and
        all but the first and the finished mesh where there is no exact one to compare with.
        """

        def tells(name: str) -> bool:
            return item.depth is not None or not VARIANTS[name].is_about_depth

        meshed = [name for name in self.mesh_variants if tells(name)] if self.mesher != "none" else []
        if item.mesh is None:
            meshed = [name for name in meshed if name in ("raw", "final")]
        if item.truth is None:
            meshed = [name for name in meshed if VARIANTS[name].picture != "exact"]
        return replace(self, mask_variants=tuple(filter(tells, self.mask_variants)), mesh_variants=tuple(meshed))


class Orchestrator(Protocol):
    """Who answers requests."""

    def remove_background(self, request: pb.RemoveBackgroundRequest) -> pb.CutoutResult:
        """Return the finished answer."""

    def generate_mesh(self, request: pb.GenerateMeshRequest) -> pb.MeshResult:
        """Return the finished answer."""


def make_outputs(
    item: Item, photo: bytes, plan: Plan, orchestrator: Orchestrator, unrefined: Orchestrator | None
) -> Outputs:
    """Return the masks and meshes of one item; a variant that fails is noted and the others go on.

    Args:
        item: with its truth and its depth.
        photo: its encoded photo.
        plan: what is made.
        orchestrator: answers the requests.
        unrefined: the same without the refinement chain; None where there is none, and its variants are left out.
    """
    asked, outputs = _Requests(item, photo, orchestrator, unrefined), Outputs()
    if item.depth is not None:
        with outputs.noting("depth"):
            outputs.depth = decode_depth(item.depth.read_bytes())

    def can_be_asked(name: str) -> bool:
        if VARIANTS[name].request.refine or unrefined is not None:
            return True
        outputs.notes[name] = "no request leaves the refinement chain out; only --in-process makes this variant"
        return False

    for name in filter(can_be_asked, plan.mask_variants):
        with outputs.noting(f"mask of {name}"):
            outputs.masks[name] = asked.mask(VARIANTS[name])
    for name in filter(can_be_asked, plan.mesh_variants):
        with outputs.noting(f"mesh of {name}"):
            answer = asked.mesh(VARIANTS[name])
            outputs.meshes[name], outputs.notes[name] = answer.mesh, answer.receipt.verdict
    return outputs


class _Requests:
    """The requests about one item; each is sent once."""

    def __init__(self, item: Item, photo: bytes, orchestrator: Orchestrator, unrefined: Orchestrator | None) -> None:
        self._item, self._photo = item, photo
        self._orchestrator, self._unrefined = orchestrator, unrefined
        self._answers: dict[Request, pb.CutoutResult] = {}

    def mask(self, variant: Variant) -> Bytes2D:
        """Return the mask of a variant: working size before matting, the photo's after it."""
        answer = self._ask(variant.request)
        png = answer.image if variant.picture == "result" else _picture(answer, variant.picture)
        return alpha_to_bytes(decode_mask(png))

    def mesh(self, variant: Variant) -> pb.MeshResult:
        """Return the mesh of a variant."""
        own_mask = b""
        if variant.picture == "exact":
            assert self._item.truth is not None
            own_mask = self._item.truth.read_bytes()
        elif variant.picture != "result":
            own_mask = _picture(self._ask(FINAL), variant.picture)
        return self._of(variant.request).generate_mesh(
            pb.GenerateMeshRequest(
                photo=self._with_depth(variant.request, own_mask), mask=_mask_options(variant.request, self._item)
            )
        )

    def _ask(self, request: Request) -> pb.CutoutResult:
        if request not in self._answers:
            self._answers[request] = self._of(request).remove_background(
                pb.RemoveBackgroundRequest(
                    photo=self._with_depth(request),
                    mask=_mask_options(request, self._item),
                    cutout=pb.CutoutOptions(mask_only=True),
                    debug=True,
                )
            )
        return self._answers[request]

    def _of(self, request: Request) -> Orchestrator:
        if request.refine:
            return self._orchestrator
        assert self._unrefined is not None
        return self._unrefined

    def _with_depth(self, request: Request, mask: bytes = b"") -> pb.Photo:
        depth = self._item.depth.read_bytes() if request.depth and self._item.depth is not None else b""
        return pb.Photo(file=self._photo, mask=mask, depth=depth)


def _mask_options(request: Request, item: Item) -> pb.MaskOptions:
    segmentation = segmentation_pb2.SegmentationOptions(use_grabcut=None if request.grabcut else False)
    depth = request.depth and item.depth is not None
    return pb.MaskOptions(
        segmentation=segmentation,
        strategy=f"STRATEGY_{request.strategy.upper()}",
        depth=depth,
    )


def _picture(answer: pb.CutoutResult, name: str) -> bytes:
    return next(picture.png for picture in answer.debug if picture.name == name)
