"""A photo with its masks, and what is made of one of them: the cutout, and the frame that the mesher looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.common.arrays import RGB, Alpha, BoolMask, InverseDepth
from services.common.errors import NoSubject
from services.common.imaging.working_size import resize
from services.common.photos.decoding import Photo
from services.orchestrator.cutout.cut import Cutout, CutoutOptions, cut_out
from services.orchestrator.framing import FramingOptions, frame_subject
from services.orchestrator.input_checks.supplied_mask import LEAST_COVERAGE, SuppliedMask
from services.orchestrator.stages.stage_protocols import MeshJob
from unflat.v1 import mesher_pb2

BAKED_FRAME_PX = 1024  # a baked texture shows more than the 512 px that the networks look at
MESH_FRAME_PX = 512


@dataclass(frozen=True)
class MaskedPhoto:
    """A photo with its masks at working size.

    Attributes:
        photo: upright, with its working image.
        alpha: fused, what the cutout is made of.
        refined: of segmentation, before depth had a say.
        raw_alpha: of segmentation, before refinement; None where nobody asked.
        depth: relative inverse depth, or None.
        depth_mask: the global cut of depth, for people to look at.
        supplied: the mask that replaced segmentation, at the size it came in; it is taken as it is, unless it is
            coarser than the photo.
    """

    photo: Photo
    alpha: Alpha
    refined: Alpha
    raw_alpha: Alpha | None
    depth: InverseDepth | None
    depth_mask: BoolMask | None
    supplied: SuppliedMask | None


@dataclass(frozen=True)
class MesherInput:
    """What the mesher is asked for, the cutout that shows, and how the subject lies in its frame and in the photo."""

    cutout: Cutout
    job: MeshJob
    share: float
    touches: tuple[str, ...]


def cut(masked: MaskedPhoto, options: CutoutOptions) -> Cutout:
    """Return the cutout at the photo's size.

    Raises:
        NoSubject: nothing is left of the subject.
    """
    if masked.supplied is None or _is_coarse(masked.supplied.alpha, masked.photo):
        cutout = cut_out(masked.photo.pixels, masked.alpha, options)
    else:
        # A mask that we did not make is taken as it is, and so are the colours under it: a picture that was cut out
        # before has no background left in them.
        alpha = resize(masked.supplied.alpha, masked.photo.pixels.shape)
        options = replace(options, matting=False, estimate_foreground=False)
        cutout = cut_out(masked.photo.pixels, alpha, options)
    if float(cutout.alpha.mean()) < LEAST_COVERAGE:
        raise NoSubject("nothing is left of the subject after refinement; wanted something that stands out")
    return cutout


def _is_coarse(mask: Alpha, photo: Photo) -> bool:
    """Tell whether a mask knows nothing of the photo's finer edges, as one that was made on its working image."""
    height, width = photo.pixels.shape[:2]
    return bool(mask.size <= photo.working.shape[0] * photo.working.shape[1] < height * width)


def frame(
    masked: MaskedPhoto, cutout: Cutout, colours: RGB, options: mesher_pb2.MeshOptions, *, relief: bool
) -> MesherInput:
    """Return the subject as the mesher wants it.

    Args:
        masked: with the depth, which lies on the photo as the cutout does.
        cutout: at the photo's size.
        colours: (H, W, 3) uint8, the cutout's foreground in sRGB.
        options: of the mesh.
        relief: hand the depth on, where there is one.
    """
    side = BAKED_FRAME_PX if options.texture == mesher_pb2.TEXTURE_MODE_BAKED else MESH_FRAME_PX
    focal_ratio = masked.photo.focal_ratio
    focal = None if focal_ratio is None else focal_ratio * max(cutout.alpha.shape)
    found = frame_subject(
        colours, cutout.alpha, masked.depth if relief else None, FramingOptions(side=side, focal_px=focal)
    )
    job = MeshJob(found.rgba, found.depth, found.focal_px, found.cx, found.cy, options)
    return MesherInput(cutout, job, found.share, found.touches)
