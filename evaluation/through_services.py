"""The same through the real services: each item goes over gRPC as a user's photo would.

Supplied network masks enter where a network's would: the segmentation service runs here, in this process, with a
backend that knows the supplied mask of each photo, so that refinement, fusion and matting happen as always. (A mask
sent along with a request is the caller's own, and is not changed by design.) Depth maps go along with the request.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType

import grpc

from evaluation.in_process import Plan, segmenter, supplied_mask
from evaluation.made import Bytes2D, Made, read_alpha
from evaluation.sets import Item
from evaluation.ways import NO_GRABCUT, WAYS, Way
from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common.arrays import RGB, alpha_to_bytes
from services.common.calling.channels import server_options
from services.common.client import UnflatClient
from services.common.errors import StageUnavailable, UnflatError
from services.common.options import CutoutOptions, MaskOptions
from services.common.photos.decoding import decode_depth, decode_photo
from services.common.serving.admission import Admission
from services.common.serving.interceptors import ErrorInterceptor
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_server import StageStatus
from services.common.telemetry.logs import configure_logs
from services.segmentation.backends.base import Backend, RawMask
from services.segmentation.models import STAGE, OneModel
from services.segmentation.server import SegmentationServicer
from unflat.v1 import orchestrator_pb2, segmentation_pb2_grpc, status_pb2_grpc

_CONNECTION_AGE_S = 3600.0
_LOAD_S = 120.0
_LOOK_S = 0.05  # between looks whether the orchestrator has reached it
TIMEOUT_S = 600.0


class SuppliedBackend:
    """Answers each known photo with its supplied mask, any other as the named backend does."""

    name = "supplied"
    device = "cpu"
    dtype = "uint8"
    digest = ""
    licence = ""
    notes: tuple[str, ...] = ()
    file_bytes = 0

    def __init__(self, items: Sequence[Item], segmenter_name: str) -> None:
        self._items = {_key(_working(item)): item for item in items}
        self._segmenter = segmenter_name

    def load(self) -> None:
        """Do nothing: the named backend is loaded where a photo needs it."""

    def close(self) -> None:
        """Do nothing."""

    def segment(self, rgb: RGB) -> RawMask:
        """Return the supplied mask at the photo's working size."""
        item = self._items.get(_key(rgb))
        known = None if item is None else supplied_mask(item, rgb, self._segmenter)
        return segmenter(self._segmenter).segment(rgb) if known is None else RawMask(known, float(known.max()))


class Services:
    """The services on this machine, for the time of a `with`.

    Args:
        items: whose supplied masks the segmentation service will know.
        plan: names the segmenter of the others.
    """

    def __init__(self, items: Sequence[Item], plan: Plan) -> None:
        self._backend = SuppliedBackend(items, plan.segmenter)
        self._stack = ExitStack()
        self._client: UnflatClient | None = None

    def __enter__(self) -> Services:
        """Start orchestrator, depth and mesher, and the segmentation service in this process.

        Raises:
            StageUnavailable: one of them does not come up.
        """
        configure_logs("evaluation", "warning")
        with ExitStack() as stack:
            local = stack.enter_context(LocalServices(LocalServicesOptions(without=(STAGE,))))
            client = stack.enter_context(UnflatClient(local.address, TIMEOUT_S))
            address = next(stage.address for stage in client.status().stages if stage.stage == STAGE)
            stack.callback(self._serve(address).stop, 1.0)
            _wait_until_reached(client)
            self._client = client
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.close()

    def make(self, item: Item, plan: Plan) -> Made:
        """Return what the services make of one item; ways that no request can ask for are noted and left out."""
        assert self._client is not None
        return _Requests(item, plan, self._client).send()

    def _serve(self, address: str) -> grpc.Server:
        slot: ModelHolder[Backend] = ModelHolder(STAGE, lambda: self._backend)
        slot.start(lambda serving: None).join(_LOAD_S)
        server = grpc.server(
            ThreadPoolExecutor(4), interceptors=[ErrorInterceptor()], options=server_options(_CONNECTION_AGE_S)
        )
        admission = Admission(STAGE, concurrency=2, queue=8)
        servicer = SegmentationServicer(OneModel(slot), admission)
        status_pb2_grpc.add_StatusServiceServicer_to_server(StageStatus(STAGE, slot, admission), server)
        segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(servicer, server)
        if server.add_insecure_port(address) == 0:
            raise StageUnavailable(f"{address} is taken; the segmentation service cannot listen there")
        server.start()
        return server


def _wait_until_reached(client: UnflatClient) -> None:
    """Wait until the orchestrator reaches the segmentation service: it looked once too early and is in its back-off.

    Raises:
        StageUnavailable: it does not within `_LOAD_S`.
    """
    deadline = time.monotonic() + _LOAD_S
    while True:
        status = next(stage for stage in client.status().stages if stage.stage == STAGE)
        if status.serving == orchestrator_pb2.SERVING_SERVING:
            return
        if time.monotonic() > deadline:
            raise StageUnavailable(f"the orchestrator does not reach the segmentation service: {status.reason}")
        time.sleep(_LOOK_S)


class _Requests:
    """All requests about one item."""

    def __init__(self, item: Item, plan: Plan, client: UnflatClient) -> None:
        self._item, self._plan, self._client = item, plan, client
        self._photo = item.photo.read_bytes()
        self._depth_map = b"" if item.depth is None else item.depth.read_bytes()
        self._made = Made()
        if self._depth_map:
            self._made.depth = decode_depth(self._depth_map)

    def send(self) -> Made:
        for name in self._plan.mask_ways:
            way = WAYS[name]
            if name not in self._made.masks and f"mask of {name}" not in self._made.failures:
                self._try(f"mask of {name}", partial(self._mask, way))
        for name in self._plan.mesh_ways if self._plan.mesher != "none" else ():
            self._try(f"mesh of {name}", partial(self._mesh, WAYS[name]))
        wanted = self._plan.mask_ways
        self._made.masks = {name: self._made.masks[name] for name in wanted if name in self._made.masks}
        return self._made

    def _mask(self, way: Way) -> None:
        """One request shows the raw, the refined and the fused mask besides the finished one."""
        if way.refine is None and way.matting:
            self._made.notes[way.name] = "no request leaves the refinement chain out; only --in-process makes this way"
            return
        wishes = self._wishes(way)
        cutout = CutoutOptions(mask_only=True, matting=True)
        answer = self._client.remove_background(self._photo, mask=wishes, cutout=cutout, debug=True)
        shown = {name: _read(data) for name, data in answer.debug.items() if name in ("raw", "segmentation", "hybrid")}
        if way.refine == WAYS["final"].refine or way.refine is None:
            self._made.masks.setdefault("raw", shown["raw"])
            self._made.masks.setdefault("refined", shown["segmentation"])
        if way.name in ("fused", "final"):
            self._made.masks["fused"], self._made.masks["final"] = shown["hybrid"], _read(answer.data)
        elif way.name not in ("raw", "plain", "refined"):
            self._made.masks[way.name] = _read(answer.data) if way.matting else shown["hybrid"]

    def _mesh(self, way: Way) -> None:
        answer = self._client.generate_mesh(self._photo, mask=self._wishes(way, for_mesh=True))
        self._made.meshes[way.name] = answer.data
        self._made.notes[way.name] = answer.receipt.verdict

    def _wishes(self, way: Way, *, for_mesh: bool = False) -> MaskOptions:
        own = b""
        if for_mesh and way.exact and self._item.truth is not None:
            own = self._item.truth.read_bytes()
        elif for_mesh and not way.matting:
            # An unmatted mask is sent as the caller's own: it is then taken as it is, and depth guides the mesh only.
            name = "raw" if way.refine is None else way.name
            own = _encode(self._made.masks[name]) if name in self._made.masks else b""
        return MaskOptions(
            strategy=way.strategy,
            depth=way.depth and bool(self._depth_map),
            use_grabcut=False if way.refine == NO_GRABCUT else None,
            mask=own,
            depth_map=self._depth_map if way.depth else b"",
        )

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except UnflatError as problem:
            self._made.fail(what, problem)


def _working(item: Item) -> RGB:
    return decode_photo(item.photo.read_bytes()).working


def _key(rgb: RGB) -> str:
    return hashlib.sha256(rgb.tobytes()).hexdigest() + str(rgb.shape)


def _read(png: bytes) -> Bytes2D:
    return alpha_to_bytes(read_alpha(png))


def _encode(mask: Bytes2D) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return buffer.getvalue()
