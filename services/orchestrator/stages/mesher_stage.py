"""The mesher service as the pipeline sees it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from services.common.errors import Internal, StageUnavailable
from services.common.wire import depth_to_proto, image_to_proto
from services.orchestrator.stages.stage_channel import UNREADABLE, StageChannel
from services.orchestrator.stages.stage_protocols import MESHER, Meshed, MeshJob
from unflat.v1 import mesher_pb2, mesher_pb2_grpc


class MesherStage:
    """Calls the mesher service."""

    def __init__(self, channel: StageChannel) -> None:
        self.channel = channel
        self._stub = mesher_pb2_grpc.MesherServiceStub(channel.channel)

    async def mesh(self, job: MeshJob, timeout_s: float) -> AsyncIterator[mesher_pb2.StageProgress | Meshed]:
        """Yield progress, then the mesh.

        A replica that goes while it works takes its stream along, and gRPC retries only what has not begun to answer:
        the work begins anew, once.

        Raises:
            UnflatError: what the stage refuses, Overloaded, StageUnavailable, DeadlineExceeded or Internal.
        """
        begin, left_s, has_begun = time.perf_counter(), timeout_s, False
        for is_last in (False, True):
            try:
                async with aclosing(self._mesh(job, left_s, begin)) as events:
                    async for event in events:
                        has_begun = True
                        yield event
            except StageUnavailable:
                left_s = timeout_s - (time.perf_counter() - begin)
                if is_last or not has_begun or left_s <= 0:
                    raise
            else:
                return

    async def _mesh(
        self, job: MeshJob, timeout_s: float, begin: float
    ) -> AsyncGenerator[mesher_pb2.StageProgress | Meshed, None]:
        request = mesh_request(job)
        async with self.channel.call(timeout_s) as left_s:
            async for event in self._stub.GenerateMesh(request, timeout=left_s, metadata=self.channel.metadata()):
                if event is None:
                    raise Internal(f"{MESHER} {UNREADABLE}")
                if event.HasField("progress"):
                    yield event.progress
                else:
                    found = event.result
                    yield Meshed(found.mesh, found.format, found.quality, self.channel.answered(found.report, begin))


def mesh_request(job: MeshJob) -> mesher_pb2.MesherServiceGenerateMeshRequest:
    """Return `job` as the mesher is asked for it."""
    return mesher_pb2.MesherServiceGenerateMeshRequest(
        frame=image_to_proto(job.frame),
        depth=None if job.depth is None else depth_to_proto(job.depth),
        camera=mesher_pb2.Camera(focal_px=job.focal_px, cx=job.cx, cy=job.cy),
        options=job.options,
    )
