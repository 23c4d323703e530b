"""Runs the algorithms directly, without services: what the orchestrator's pipeline does, step for step."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from evaluation.damage import simulate_network
from evaluation.made import Made, read_alpha
from evaluation.sets import Item
from evaluation.ways import WAYS, Way
from services.common.arrays import RGB, Alpha, Float, InverseDepth, alpha_to_bytes
from services.common.errors import NoSubject, UnflatError
from services.common.models.model_store import ModelStore
from services.common.photos.decoding import Photo, decode_depth, decode_photo
from services.common.settings import StageSettings
from services.mesher.backends.base import FramedSubject, MeshOptions
from services.mesher.backends.catalogue import open_backend as open_mesher
from services.mesher.export import export
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh
from services.mesher.quality import Quality, inspect
from services.orchestrator.cutout.cut import Cutout, CutoutOptions, cut_out
from services.orchestrator.framing import FramingOptions, frame_subject
from services.orchestrator.fusion.fuse import fuse
from services.orchestrator.fusion.fusion_options import FusionOptions
from services.segmentation.backends.base import Backend
from services.segmentation.backends.catalogue import open_backend as open_segmenter
from services.segmentation.refine.chain import refine
from services.segmentation.refine.refine_options import RefineOptions

SIMULATED = "simulated"  # a segmenter that damages the exact mask: what a network might say, by `damage.py`
LEAST_COVERAGE = 1e-4  # share of the photo below which a mask holds nothing, as in the orchestrator
STRONGEST_DISTURBANCE = 2  # grey levels, about what another JPEG quality changes


@dataclass(frozen=True)
class Plan:
    """What is made of each item.

    Attributes:
        mask_ways: names of `ways.WAYS` whose masks are made.
        mesh_ways: names of those that are meshed.
        segmenter: the backend that masks items without a supplied mask, or `SIMULATED`.
        mesher: the mesher, or "none".
        disturbance: seed of a slight noise on the photo, to see how far figures move by chance; None leaves it.
    """

    mask_ways: tuple[str, ...]
    mesh_ways: tuple[str, ...]
    segmenter: str = "grabcut"
    mesher: str = "inflate"
    disturbance: int | None = None

    def for_item(self, item: Item) -> Plan:
        """Return the plan without what would tell nothing new of `item`: depth's ablations where it has no depth, and
        all but the first and the finished mesh where there is no exact one to compare with.
        """
        ways = [name for name in self.mask_ways if item.depth is not None or not WAYS[name].is_about_depth]
        meshed = [name for name in self.mesh_ways if item.depth is not None or not WAYS[name].is_about_depth]
        if item.mesh is None:
            meshed = [name for name in meshed if name in ("raw", "final")]
        if item.truth is None:
            meshed = [name for name in meshed if not WAYS[name].exact]
        return replace(self, mask_ways=tuple(ways), mesh_ways=tuple(meshed))


def make_in_process(item: Item, plan: Plan) -> Made:
    """Return the masks and meshes of one item; a way that fails is noted and the others go on."""
    made = Made()
    try:
        subject = _Subject(item, plan)
        made.depth = subject.depth
    except UnflatError as problem:
        made.fail("photo", problem)
        return made
    for name in plan.mask_ways:
        try:
            made.masks[name] = alpha_to_bytes(
                subject.cutout(WAYS[name]).alpha if WAYS[name].matting else subject.mask(WAYS[name])
            )
        except UnflatError as problem:
            made.fail(f"mask of {name}", problem)
    for name in plan.mesh_ways if plan.mesher != "none" else ():
        try:
            made.meshes[name], quality = subject.mesh(WAYS[name])
            made.notes[name] = quality.verdict
        except UnflatError as problem:
            made.fail(f"mesh of {name}", problem)
    return made


def disturb(rgb: RGB, seed: int) -> RGB:
    """Return the photo with noise of a grey level or two, as another encoding would bring."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-STRONGEST_DISTURBANCE, STRONGEST_DISTURBANCE + 1, rgb.shape)
    return np.asarray(np.clip(rgb.astype(np.int16) + noise, 0, 255), dtype=np.uint8)


def supplied_mask(item: Item, working: RGB, segmenter_name: str) -> Alpha | None:
    """Return the raw mask that needs no segmenter, at working size: supplied, or simulated; None if there is none."""
    shape = (int(working.shape[0]), int(working.shape[1]))
    if item.mask is not None:
        return _resize(read_alpha(item.mask.read_bytes()), shape)
    if segmenter_name == SIMULATED and item.truth is not None:
        exact = _resize(read_alpha(item.truth.read_bytes()), shape)
        return simulate_network(exact, zlib.crc32(item.name.encode()))
    return None


class _Subject:
    """One item on its way; what several ways share is made once."""

    def __init__(self, item: Item, plan: Plan) -> None:
        self._item, self._plan = item, plan
        self._refined: dict[RefineOptions | None, Alpha] = {}
        self._masks: dict[Way, Alpha] = {}
        self._cutouts: dict[Way, Cutout] = {}
        photo = decode_photo(item.photo.read_bytes())
        if plan.disturbance is not None:
            working = disturb(photo.working, plan.disturbance)
            pixels = working if photo.pixels.shape == working.shape else photo.pixels
            photo = replace(photo, working=working, pixels=pixels)
        self.photo: Photo = photo
        shape = (int(photo.working.shape[0]), int(photo.working.shape[1]))
        self.depth: InverseDepth | None = None
        if item.depth is not None:
            self.depth = _resize(decode_depth(item.depth.read_bytes()), shape)

    @cached_property
    def raw(self) -> Alpha:
        """The supplied mask, else the backend's, at working size."""
        known = supplied_mask(self._item, self.photo.working, self._plan.segmenter)
        return segmenter(self._plan.segmenter).segment(self.photo.working).alpha if known is None else known

    @property
    def _from_colours(self) -> bool:
        """Whether the raw mask is GrabCut's, made from the photo's colours alone."""
        return self._item.mask is None and self._plan.segmenter == "grabcut"

    def mask(self, way: Way) -> Alpha:
        """The mask of a way at working size, before matting."""
        if way.exact:
            assert self._item.truth is not None
            height, width = self.photo.pixels.shape[:2]
            return _resize(read_alpha(self._item.truth.read_bytes()), (height, width))
        plain = replace(way, name="", says="", matting=False)
        if plain not in self._masks:
            depth = self.depth if way.depth else None
            refined = self._refine(way.refine)
            # The adaptive percentile is what a request gets that names none.
            options = FusionOptions(strategy=way.strategy, depth_percentile="auto")
            self._masks[plain] = fuse(self.photo.working, refined, depth, options).alpha
        return self._masks[plain]

    def cutout(self, way: Way) -> Cutout:
        """The cutout of a way at the photo's size."""
        if way not in self._cutouts:
            options = CutoutOptions(alpha_matting=way.matting)
            self._cutouts[way] = cut_out(self.photo.pixels, self.mask(way), options)
        return self._cutouts[way]

    def mesh(self, way: Way) -> tuple[bytes, Quality]:
        """The GLB of a way and how good it looks."""
        photo, cutout = self.photo, self.cutout(way)
        if photo.metadata.icc or photo.bit_depth != 8:
            cutout = cut_out(photo.working, self.mask(way), CutoutOptions(alpha_matting=False))
        mesh, quality = mesh_cutout(cutout, self.depth if way.depth else None, photo.focal_ratio, self._plan.mesher)
        return export(mesh, "glb"), quality

    def _refine(self, options: RefineOptions | None) -> Alpha:
        if options is None:
            return self.raw
        if options not in self._refined:
            known = replace(options, from_colours=self._from_colours)
            self._refined[options] = refine(self.photo.working, self.raw, known).alpha
        return self._refined[options]


def mesh_cutout(
    cutout: Cutout, depth: InverseDepth | None, focal_ratio: float | None = None, mesher: str = "inflate"
) -> tuple[Mesh, Quality]:
    """Frame and mesh as the orchestrator does: where the gate finds it flat or broken, once more without relief.

    Args:
        cutout: 8-bit sRGB with straight alpha.
        depth: of the same view, or None.
        focal_ratio: focal length over the long side, where the photo tells.
        mesher: a backend's name.
    Raises:
        NoSubject: the mask is empty.
    """
    if float(cutout.alpha.mean()) < LEAST_COVERAGE:
        raise NoSubject("the mask is empty")
    focal = None if focal_ratio is None else focal_ratio * max(cutout.alpha.shape)
    foreground = np.asarray(cutout.foreground, dtype=np.uint8)
    frame = frame_subject(foreground, cutout.alpha, depth, FramingOptions(focal_px=focal))
    subject = FramedSubject(frame.rgba, frame.depth, Camera(frame.focal_px, frame.cx, frame.cy))
    backend = open_mesher(mesher)
    alpha = subject.rgba[:, :, 3].astype(np.float32) / np.float32(255)

    def attempt(seen: FramedSubject) -> tuple[Mesh, Quality]:
        mesh = backend.mesh(seen, MeshOptions(), lambda step, share: None)
        return mesh, inspect(mesh, alpha, seen.camera, seen.depth)

    first = attempt(subject)
    quality = first[1]
    good = quality.watertight and quality.outward and (not quality.is_flat or quality.is_truly_flat)
    if good or subject.depth is None:
        return first
    second = attempt(replace(subject, depth=None))
    return second if second[1].score > quality.score else first


_SEGMENTERS: dict[str, Backend] = {}


def segmenter(name: str) -> Backend:
    """Return a loaded segmentation backend; each is loaded once a process."""
    if name not in _SEGMENTERS:
        backend = open_segmenter(name, ModelStore(StageSettings().models).find)
        backend.load()
        _SEGMENTERS[name] = backend
    return _SEGMENTERS[name]


def _resize(values: Float, shape: tuple[int, int]) -> Float:
    height, width = shape
    if values.shape == shape:
        return values
    how = cv2.INTER_AREA if width < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), dtype=np.float32)
