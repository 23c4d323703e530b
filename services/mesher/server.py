"""The mesher service: a framed subject to a mesh file, with progress on the way and the quality of the result.

Only translates: message → arrays → backend, texture, quality, export → message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

import grpc
import numpy as np

from services.common.arrays import alpha_from_bytes
from services.common.backends.backend_catalogue import Resources
from services.common.backends.batching import GPU_BATCH, BatchOptions
from services.common.backends.gpu_memory import find_gpus
from services.common.errors import InvalidOption, NoSubject, UnflatError
from services.common.load_settings import load_settings
from services.common.models.model_store import ModelStore
from services.common.options import MeshOptions, fill
from services.common.options.proto import enum_name, from_proto
from services.common.serving.admission import Admission
from services.common.serving.model_holder import ModelHolder
from services.common.serving.stage_call import StageCall, stage_call
from services.common.serving.stage_server import run_stage
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger
from services.common.wire import depth_from_proto, image_from_proto
from services.mesher.backends import base
from services.mesher.backends.base import Backend, FramedSubject
from services.mesher.backends.catalogue import BACKENDS
from services.mesher.export import export
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh
from services.mesher.geometry.postprocess import PostprocessOptions, resize_and_place, smooth_and_simplify
from services.mesher.quality import Quality, inspect
from services.mesher.settings import MesherSettings
from services.mesher.texture.baking import bake
from unflat.v1 import mesher_pb2 as pb
from unflat.v1 import mesher_pb2_grpc as pb_grpc

STAGE = "mesher"
SERVICE = pb.DESCRIPTOR.services_by_name["MesherService"].full_name

_WARM_UP_SIDE_PX, _WARM_UP_RESOLUTION = 64, 32
_GLTF_UNIT_MM = 1000.0

Event: TypeAlias = pb.MesherServiceGenerateMeshResponse
Emit: TypeAlias = Callable[[Event], None]


class MesherServicer(pb_grpc.MesherServiceServicer):
    """Answers GenerateMesh."""

    def __init__(self, holder: ModelHolder[Backend], admission: Admission) -> None:
        self._holder = holder
        self._admission = admission

    def GenerateMesh(  # noqa: N802 - the proto's name
        self, request: pb.MesherServiceGenerateMeshRequest, context: grpc.ServicerContext
    ) -> Iterator[Event]:
        """Stream progress, then one result."""
        with stage_call(STAGE, context) as call:
            backend = self._holder.get()
            call.served_by(backend)
            with call.admitted(self._admission):
                yield from _with_progress(lambda emit: self._mesh(backend, call, request, emit))

    def _mesh(
        self, backend: Backend, call: StageCall, request: pb.MesherServiceGenerateMeshRequest, emit: Emit
    ) -> Event:
        def progress(step: str, fraction: float) -> None:
            call.check()
            emit(Event(progress=pb.StageProgress(step=step, fraction=fraction)))

        with call.phase("preprocess"):
            subject = read_subject(request)
            asked = from_proto(MeshOptions, request.options)
            wanted = fill(PostprocessOptions(), asked)
        with call.phase("compute"):
            mesh = backend.mesh(subject, fill(base.MeshOptions(), asked), progress)
        with call.phase("postprocess"):
            progress("quality", 0.8)
            mesh = smooth_and_simplify(mesh, wanted)
            alpha = alpha_from_bytes(subject.rgba[:, :, 3])
            quality = inspect(mesh, alpha, subject.camera, subject.depth)
            if asked.texture == "baked":
                progress("texture", 0.85)
                mesh = bake(mesh, subject.rgba, subject.camera, asked.texture_resolution, wanted.faces)
            progress("export", 0.95)
            unit_mm = _GLTF_UNIT_MM if asked.format == "glb" else 1.0
            data = export(resize_and_place(mesh, wanted, unit_mm), asked.format)
        form = enum_name(pb.MeshFormat.DESCRIPTOR, asked.format)
        report = call.report(mesh.notes)
        return Event(
            result=pb.MesherResult(mesh=data, format=form, quality=quality_to_proto(mesh, quality), report=report)
        )


def _with_progress(compute: Callable[[Emit], Event]) -> Iterator[Event]:
    """Yield what `compute` emits while it runs, then what it returns; raise what it raises."""
    events: SimpleQueue[Event | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            events.put(compute(events.put))
        except BaseException as problem:  # noqa: BLE001 - raised again by the thread that answers
            events.put(problem)

    thread = Thread(target=run, name="mesh", daemon=True)
    thread.start()
    try:
        while True:
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            yield event
            if event.HasField("result"):
                return
    finally:
        thread.join()  # a caller that left gives the place back only when nothing computes in it any more


def read_subject(request: pb.MesherServiceGenerateMeshRequest) -> FramedSubject:
    """Return what a request shows the mesher.

    Raises:
        UnflatError: InvalidImage or InvalidOption: it makes no sense.
    """
    rgba = image_from_proto(request.frame, 4, "frame")
    side = rgba.shape[0]
    if rgba.shape[1] != side:
        raise InvalidOption(f"frame is {rgba.shape[1]} × {side} px; wanted a square", field="frame")
    depth = depth_from_proto(request.depth) if request.HasField("depth") else None
    if depth is not None and depth.shape != (side, side):
        raise InvalidOption(
            f"depth is {depth.shape[1]} × {depth.shape[0]} px; wanted the frame's {side}²", field="depth"
        )
    camera = request.camera
    if not 0 < camera.focal_px < math.inf:
        raise InvalidOption(f"focal length is {camera.focal_px} px; wanted more than 0", field="camera.focal_px")
    if not (math.isfinite(camera.cx) and math.isfinite(camera.cy)):
        raise InvalidOption(f"principal point is {camera.cx}, {camera.cy}; wanted finite pixels", field="camera")
    return FramedSubject(rgba, depth, Camera(camera.focal_px, camera.cx, camera.cy))


def quality_to_proto(mesh: Mesh, quality: Quality) -> pb.MeshQuality:
    """Return the measured quality as a message."""
    return pb.MeshQuality(
        vertices=len(mesh.vertices),
        faces=quality.faces,
        thickness_ratio=quality.thickness_ratio,
        view_depth_ratio=quality.view_depth_ratio,
        watertight=quality.watertight,
        outward=quality.outward,
        components=quality.components,
        volume=quality.volume,
        silhouette_iou=quality.silhouette_iou or 0.0,
        flat=quality.is_flat,
        truly_flat=quality.is_truly_flat,
        verdict_kind=f"MESH_VERDICT_{quality.verdict_kind.upper()}",
        verdict=quality.verdict,
        score=quality.score,
    )


def _warm_up(backend: Backend) -> None:
    """Send a ball all the way, so that the first request does not pay for imports and first runs."""
    y, x = (np.mgrid[0:_WARM_UP_SIDE_PX, 0:_WARM_UP_SIDE_PX] - (_WARM_UP_SIDE_PX - 1) / 2) / (0.4 * _WARM_UP_SIDE_PX)
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    rgba = np.zeros((_WARM_UP_SIDE_PX, _WARM_UP_SIDE_PX, 4), dtype=np.uint8)
    rgba[:, :, :3] = (60 + 150 * np.clip(0.6 * height - 0.5 * y, 0, 1))[:, :, None] * (1.0, 0.7, 0.4)
    rgba[:, :, 3] = np.where(height > 0, 255, 0)
    half = _WARM_UP_SIDE_PX / 2
    subject = FramedSubject(rgba, None, Camera(2.8 * half, half, half))
    try:
        mesh = backend.mesh(subject, base.MeshOptions(resolution=_WARM_UP_RESOLUTION), lambda *_: None)
    except NoSubject:
        return  # a network may not care for this picture; it has run all the same
    inspect(mesh, alpha_from_bytes(rgba[:, :, 3]), subject.camera, None)
    export(mesh, "glb")


def share_gpu(settings: MesherSettings, resources: Resources, gpus: int) -> MesherSettings:
    """Return the settings with calls side by side where that fills a GPU: networks batch them, surfaces use the CPU.

    Args:
        settings: as they were read; a concurrency of its own stays.
        resources: what the backend is opened with.
        gpus: of this machine.
    """
    try:
        fills = gpus > 0 and settings.concurrency == 1 and BACKENDS.find(settings.backend, resources).batches
    except UnflatError:
        return settings  # loading will say what is wrong
    return settings.model_copy(update={"concurrency": GPU_BATCH}) if fills else settings


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(MesherSettings, STAGE)
    batching = BatchOptions(observe=metrics.BATCH_SIZE.labels(STAGE).observe)
    resources = Resources(ModelStore(settings.models).find, settings.threads, batching)

    def load() -> Backend:
        backend = BACKENDS.open(settings.backend, resources, get_logger().info)
        backend.load()
        _warm_up(backend)
        return backend

    def register(holder: ModelHolder[Backend], admission: Admission, server: grpc.Server) -> None:
        pb_grpc.add_MesherServiceServicer_to_server(MesherServicer(holder, admission), server)

    run_stage(share_gpu(settings, resources, len(find_gpus())), STAGE, SERVICE, load, register)


if __name__ == "__main__":
    main()
