"""The orchestrator service: streams progress and one result of the pipeline.

Only translates and guards: admission, deadlines, cancellation; what happens to a photo is in `pipeline.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.common.calling.channels import server_options
from services.common.errors import UnflatError
from services.common.load_settings import load_settings
from services.common.options import MeshOptions
from services.common.options.proto import from_proto
from services.common.photos.decode_pool import DecodePool
from services.common.serving.admission import AioAdmission
from services.common.serving.interceptors import AioErrorInterceptor, current_request_id
from services.common.serving.priority import bind_priority, read_priority
from services.common.serving.start_up import HealthBoard, prepare_process, serve
from services.common.telemetry.logs import get_logger
from services.common.tls import Identity
from services.common.version import VERSION
from services.common.wire import depth_to_proto
from services.orchestrator.cutout.matting_network import MattingNetwork, open_matting_network
from services.orchestrator.pipeline import Pipeline
from services.orchestrator.request_options import parse_depth_options, parse_encoding, parse_request_options
from services.orchestrator.run import Run
from services.orchestrator.settings import CLOSED_FORM, OrchestratorSettings
from services.orchestrator.stages.depth_stage import DepthStage, NoDepthStage
from services.orchestrator.stages.mesher_stage import MesherStage
from services.orchestrator.stages.result_cache import CachedDepth, CachedSegmentation, ResultCache
from services.orchestrator.stages.segmentation_stage import SegmentationStage
from services.orchestrator.stages.stage_channel import StageChannel
from services.orchestrator.stages.stage_protocols import DEPTH, MESHER, SEGMENTATION, Stages
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc

STAGE = "orchestrator"
SERVICE = pb.DESCRIPTOR.services_by_name["OrchestratorService"].full_name

E = TypeVar("E", pb.RemoveBackgroundResponse, pb.GenerateMeshResponse)
_log = get_logger()


class OrchestratorServicer(pb_grpc.OrchestratorServiceServicer):
    """Answers requests from outside."""

    def __init__(
        self,
        pipeline: Pipeline,
        channels: list[StageChannel],
        admission: AioAdmission,
        budget_s: float,
        matting: MattingNetwork | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._channels = channels
        self._admission = admission
        self._budget_s = budget_s
        self._matting = matting

    async def RemoveBackground(  # noqa: N802 - the proto's name
        self, request: pb.RemoveBackgroundRequest, context: Any
    ) -> AsyncIterator[pb.RemoveBackgroundResponse]:
        """Stream progress, then the cutout."""
        options = parse_request_options(request.mask, request.cutout, self._matting)
        encoding = parse_encoding(request.cutout)
        mask_only, debug = request.cutout.mask_only, request.debug

        async def work(run: Run) -> pb.RemoveBackgroundResponse:
            found = await self._pipeline.remove_background(
                request.photo, options, encoding, run, mask_only=mask_only, debug=debug
            )
            return pb.RemoveBackgroundResponse(result=found)

        async for event in self._stream(context, work, lambda p: pb.RemoveBackgroundResponse(progress=p)):
            yield event

    async def GenerateMesh(  # noqa: N802 - the proto's name
        self, request: pb.GenerateMeshRequest, context: Any
    ) -> AsyncIterator[pb.GenerateMeshResponse]:
        """Stream progress, then the mesh."""
        options = parse_request_options(request.mask, pb.CutoutOptions(), self._matting)
        from_proto(MeshOptions, request.mesh)  # the mesher's own check, before anything is computed

        async def work(run: Run) -> pb.GenerateMeshResponse:
            found = await self._pipeline.generate_mesh(request.photo, options, request.mesh, run, debug=request.debug)
            return pb.GenerateMeshResponse(result=found)

        async for event in self._stream(context, work, lambda p: pb.GenerateMeshResponse(progress=p)):
            yield event

    async def GetDepth(self, request: pb.GetDepthRequest, context: Any) -> pb.GetDepthResponse:  # noqa: N802
        """Return the depth of a photo alone."""
        options = parse_depth_options(request.options)
        run = Run(current_request_id(), self._budget(context), lambda _: None)
        async with self._turn(context, run):
            answer = await self._pipeline.estimate_depth(request.file, run, options)
        assert answer.depth is not None
        return pb.GetDepthResponse(depth=depth_to_proto(answer.depth), stage=answer.receipt)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:  # noqa: N802
        """Return how every stage is."""
        stages = await asyncio.gather(*(channel.status() for channel in self._channels))
        return pb.GetStatusResponse(version=VERSION, stages=stages)

    def _turn(self, context: Any, run: Run) -> AbstractAsyncContextManager[None]:
        """Wait for a turn no longer than there is time left; the stages hear of the caller's priority, too."""
        priority = read_priority(context.invocation_metadata())
        bind_priority(priority)
        return self._admission.admit(priority, run.remaining_s())

    def _budget(self, context: Any) -> float:
        left = context.time_remaining()
        return self._budget_s if left is None else min(float(left), self._budget_s)

    async def _stream(
        self, context: Any, work: Callable[[Run], Awaitable[E]], wrap: Callable[[pb.Progress], E]
    ) -> AsyncIterator[E]:
        """Yield progress while `work` runs, then its result; a caller that leaves cancels the work."""
        events: asyncio.Queue[E | None] = asyncio.Queue()
        run = Run(current_request_id(), self._budget(context), lambda p: events.put_nowait(wrap(p)))
        async with self._turn(context, run):
            task = asyncio.ensure_future(work(run))
            task.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (event := await events.get()) is not None:
                    yield event
                yield task.result()
            finally:
                if not task.done():
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task


def _open_matting(name: str) -> MattingNetwork | None:
    """Return the warm matting network of the settings, or None for the closed form.

    One that cannot be had ends the process with a sentence: edges would be others than whoever started it expects.
    """
    if name == CLOSED_FORM:
        return None
    try:
        network = open_matting_network(name)
        network.load()
    except UnflatError as problem:
        sys.stderr.write(f"unflat-orchestrator: setting matting (--matting, UNFLAT_MATTING): {problem.message}\n")
        raise SystemExit(2) from None
    _log.info("matting network loaded", network=network.name, device=network.device)
    return network


async def _serve(settings: OrchestratorSettings, identity: Identity | None) -> None:
    channels = open_channels(settings, identity)
    decoder = DecodePool(settings.decoders, settings.decoder_memory_mb << 20)
    servicer = OrchestratorServicer(
        Pipeline(open_stages(settings, channels), decoder, settings.max_pixels),
        list(channels.values()),
        AioAdmission(STAGE, settings.concurrency, settings.queue),
        settings.budget_s,
        _open_matting(settings.matting),
    )
    server = grpc.aio.server(
        interceptors=[AioErrorInterceptor()], options=server_options(settings.max_connection_age_s)
    )
    pb_grpc.add_OrchestratorServiceServicer_to_server(servicer, server)
    own_health = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(own_health, server)
    await own_health.set("", health_pb2.HealthCheckResponse.SERVING)
    await own_health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
    board = HealthBoard(SERVICE, STAGE)

    async def begin() -> None:
        await decoder.warm_up()
        board.set_serving(True)
        await own_health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        _log.info("serving", stages={channel.stage: channel.address for channel in channels.values()})

    await serve(
        settings, server, board, identity, services=(SERVICE,), begin=begin, drain=own_health.enter_graceful_shutdown
    )
    await asyncio.gather(*(channel.channel.close() for channel in channels.values()))
    decoder.close()


def open_channels(settings: OrchestratorSettings, identity: Identity | None) -> dict[str, StageChannel]:
    """Return a channel to each stage that has an address; depth may be without one."""
    addresses = {
        SEGMENTATION: settings.segmentation_address,
        DEPTH: settings.depth_address,
        MESHER: settings.mesher_address,
    }
    return {
        stage: StageChannel(stage, address, identity, settings.stage_calls)
        for stage, address in addresses.items()
        if address or stage != DEPTH
    }


def open_stages(settings: OrchestratorSettings, channels: dict[str, StageChannel]) -> Stages:
    """Return the stages behind their caches."""
    limit_bytes = settings.cache_mb << 20
    depth = DepthStage(channels[DEPTH]) if DEPTH in channels else NoDepthStage()
    return Stages(
        CachedSegmentation(
            SegmentationStage(channels[SEGMENTATION]), ResultCache(SEGMENTATION, limit_bytes, settings.cache_s)
        ),
        CachedDepth(depth, ResultCache(DEPTH, limit_bytes, settings.cache_s)),
        MesherStage(channels[MESHER]),
    )


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(OrchestratorSettings, STAGE)
    asyncio.run(_serve(settings, prepare_process(settings, STAGE)))


if __name__ == "__main__":
    main()
