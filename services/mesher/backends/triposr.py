"""TripoSR as a backend: the unseen side is learned. Needs torch, which is imported when the backend loads.

    triposr[?device=auto&dtype=auto&weights=/folder&batch=8]

`device` is auto, cpu, cuda, cuda:1, … or mps; auto is the best there is. `dtype` is float32, bfloat16, float16 (for
GPUs) or auto: bfloat16 where the device has it and a synthetic picture shows that the surface stays, see
`services.mesher.triposr.precision`. `batch` is the most pictures that go through the network at once, 8 on a GPU and 1
elsewhere unless told; surfaces are taken side by side with it, each in its call's own thread.
`weights` is a folder outside the model store with config.yaml and model.ckpt or model.safetensors.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from services.common.arrays import Colours, Faces, Float, Points, alpha_from_bytes
from services.common.backends.backend_catalogue import Resources
from services.common.backends.backend_spec import BackendSpec
from services.common.backends.batching import Batcher, BatchOptions
from services.common.backends.out_of_memory import is_out_of_memory
from services.common.errors import InvalidOption, NoSubject, Overloaded, StageUnavailable
from services.common.models.model_store import StoredModel
from services.mesher.backends.base import FramedSubject, MeshOptions, Progress
from services.mesher.depth_guidance.follow_depth import follow_depth
from services.mesher.extract import extract_surface, keep_real_parts
from services.mesher.extract.parts import say_dropped
from services.mesher.geometry.mesh import Mesh, normalise
from services.mesher.triposr.picture import compose_on_grey, to_network

if TYPE_CHECKING:
    from torch import Tensor

    from services.mesher.triposr.model import Precision, TripoSR
    from services.mesher.triposr.query import SceneField

NAME = "triposr"
DTYPES: tuple[Precision, ...] = ("float32", "bfloat16", "float16")
BATCHES = (1, 64)
RESOLUTION = 256  # the official default
THRESHOLD = 25.0  # the official default
THRESHOLDS = (0.01, 10_000.0)
TO_GLTF = (1, 2, 0)  # TripoSR looks along −x with z up; ours has the camera at +z and y up
ON_METAL = "pictures are resized on the CPU, for Metal has no antialiased resize"
INSTALL = "install it with `pip install torch`, beside `pip install 'unflat[mesher]'`"


def open_triposr(spec: BackendSpec, resources: Resources) -> TripoSRBackend:
    """Return the backend, not yet loaded.

    Raises:
        InvalidOption: an option is unknown or wrong.
    """
    spec.refuse_unknown("device", "dtype", "weights", "batch")
    batching = resources.batching or BatchOptions()
    return TripoSRBackend(
        lambda: _find_weights(spec, resources),
        device=spec.options.get("device", "auto"),
        dtype=spec.choice("dtype", ("auto", *DTYPES), "auto"),
        threads=resources.threads,
        batching=replace(batching, most=spec.number("batch", batching.most, *BATCHES)),
    )


def _find_weights(spec: BackendSpec, resources: Resources) -> StoredModel:
    if "weights" not in spec.options:
        return resources.weights(NAME)
    folder = Path(spec.options["weights"])
    files = [folder / name for name in ("model.safetensors", "model.ckpt") if (folder / name).is_file()]
    if not files:
        raise StageUnavailable(f"there are no weights in {folder}; wanted model.ckpt or model.safetensors")
    return StoredModel.own_file(files[0])


class TripoSRBackend:
    """TripoSR; see `Backend` for the contract.

    Args:
        find_weights: answers the official files, or our conversion; asked by `load`.
        device: auto, or a device of torch.
        dtype: of the matrix products, or auto.
        threads: of one computation on the CPU; 0 leaves the choice to torch.
        batching: how concurrent calls share a run.
    """

    name = NAME

    digest = ""
    licence = ""

    def __init__(
        self,
        find_weights: Callable[[], StoredModel],
        device: str,
        dtype: str,
        threads: int,
        batching: BatchOptions,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.notes: tuple[str, ...] = ()
        self._find_weights = find_weights
        self._threads = threads
        self._batching = batching
        self._lock = threading.Lock()
        self._network: TripoSR | None = None
        self._batcher: Batcher[Tensor, SceneField] | None = None

    def load(self) -> None:
        """Load the weights onto the device; a second call does nothing.

        Raises:
            StageUnavailable: torch, the weights or the device are missing, or the files are not what they should be.
        """
        with self._lock:
            if self._network is None:
                network = self._open()
                self._batcher = Batcher(self._run, self._batching.on(self.device))
                self._network = network

    def mesh(self, subject: FramedSubject, options: MeshOptions, progress: Progress) -> Mesh:
        """Return a watertight mesh with colours a vertex, its front corrected by depth where there is any.

        Raises:
            NoSubject: the cutout is empty, or the network sees no body in it.
            InvalidOption: a threshold out of range.
            Overloaded: the accelerator's memory is full.
        """
        if self._network is None:
            self.load()
        assert self._network is not None
        assert self._batcher is not None
        network = self._network
        level = _level(options.threshold, network.config.density_bias)
        if not (subject.rgba[..., 3] >= 128).any():
            raise NoSubject("the cutout is empty: no pixel is at least half covered")
        progress("network", 0.05)
        image = to_network(compose_on_grey(subject.rgba), network.config.image_px)
        try:
            field = self._batcher.ask(image, check=lambda: progress("network", 0.05))
            mesh = _extract(field, level, options.resolution or RESOLUTION, progress)
        except RuntimeError as problem:
            if not is_out_of_memory(problem):
                raise
            raise Overloaded(f"the memory of {self.device} is full", retry_after_s=5.0) from problem
        if subject.depth is None or not options.use_depth:
            return mesh
        progress("relief", 0.73)
        followed = follow_depth(mesh, subject.depth, alpha_from_bytes(subject.rgba[..., 3]), subject.camera)
        return normalise(followed)

    def _open(self) -> TripoSR:
        try:
            import torch
        except ImportError:
            raise StageUnavailable(f"triposr needs torch; {INSTALL}") from None
        from services.mesher.triposr.model import TripoSR

        weights = self._find_weights()
        if self._threads:
            torch.set_num_threads(self._threads)
        self.device = _choose_device(self.device)
        dtype, why = self.dtype, ""
        if dtype == "auto":
            from services.mesher.triposr.precision import choose_precision

            dtype, why = astuple(choose_precision(weights.folder, self.device, weights.sha256))
        network = TripoSR.from_checkpoint(weights.folder, self.device, next(d for d in DTYPES if d == dtype))
        self.dtype = dtype
        size_mb = sum(value.nbytes for value in network.state_dict().values()) / 1e6
        said = (f"TripoSR in {dtype}, {size_mb:,.0f} MB of weights", why, ON_METAL if self.device == "mps" else "")
        self.notes = tuple(note for note in said if note)
        self.digest, self.licence = weights.sha256, weights.licence
        return network

    def _run(self, images: list[Tensor]) -> list[SceneField]:
        """Return the fields of a batch; what a full accelerator held is given back before a smaller one is tried."""
        assert self._network is not None
        try:
            return self._network.reconstruct_all(images)
        except RuntimeError as problem:
            if is_out_of_memory(problem) and self.device.startswith("cuda"):
                import torch

                torch.cuda.empty_cache()
            raise


def _extract(field: SceneField, level: float, resolution: int, progress: Progress) -> Mesh:
    progress("surface", 0.45)

    def density(points: Points) -> Float:
        progress("surface", 0.5)  # between two levels of refinement, so that a cancelled call ends
        return field.density(points)

    surface = extract_surface(density, level, resolution, field.radius)
    vertices, faces, dropped = keep_real_parts(surface.vertices, surface.faces)
    if len(faces) == 0:
        raise NoSubject("TripoSR sees no body in this cutout; a lower threshold may find one", field="threshold")
    progress("colours", 0.7)
    colours = field.colour(np.clip(vertices, -field.radius, field.radius))
    notes = (say_dropped(dropped),) if dropped else ()
    return _to_our_frame(vertices, faces, colours, notes)


def _to_our_frame(vertices: Points, faces: Faces, colours: Colours, notes: tuple[str, ...]) -> Mesh:
    """Return the mesh with +Y up and the photo's front towards +Z, centred, largest extent 1."""
    return normalise(Mesh(np.ascontiguousarray(vertices[:, TO_GLTF]), faces, colours, notes=notes))


def _level(threshold: float | None, bias: float) -> float:
    """Return the raw density at which the density, the exponential of raw plus bias, has the threshold."""
    value = THRESHOLD if threshold is None else threshold
    low, high = THRESHOLDS
    if not low <= value <= high:
        raise InvalidOption(f"threshold is {value:g}; wanted {low:g} to {high:g}", field="threshold")
    return math.log(value) - bias


def _choose_device(wanted: str) -> str:
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, here in found.items() if here)
    if wanted.partition(":")[0] not in found:
        raise StageUnavailable(f"device {wanted!r} is unknown; wanted auto, cpu, cuda or mps")
    if not found[wanted.partition(":")[0]]:
        here = ", ".join(name for name, is_here in found.items() if is_here)
        raise StageUnavailable(f"device {wanted} is not to be had; torch sees {here}")
    return wanted
