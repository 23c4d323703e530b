"""The typed clients against an orchestrator of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import threading
import weakref
from concurrent import futures

import grpc
import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal

from services.common.client import AsyncClient, Client, result_of
from services.common.errors import DeadlineExceeded, Internal, InvalidOption, NoSubject, StageUnavailable
from services.common.options import CutoutOptions, DepthOptions, MaskOptions, MeshOptions
from services.common.serving.interceptors import ErrorInterceptor
from services.common.serving.stage_call import CallAbandonedError
from services.common.wire import depth_to_proto
from unflat.v1 import depth_pb2, segmentation_pb2
from unflat.v1 import orchestrator_pb2 as pb
from unflat.v1 import orchestrator_pb2_grpc as pb_grpc


class _Orchestrator(pb_grpc.OrchestratorServiceServicer):
    def __init__(self) -> None:
        self.asked: list[object] = []
        self.problem: Exception | None = None
        self.silent = self.cancels = False
        self.cancelled = threading.Event()
        self.hang = threading.Event()

    def _begin(self, request, context):
        self.asked.append(request)
        context.add_callback(self.cancelled.set)
        if self.problem is not None:
            raise self.problem

    def RemoveBackground(self, request, context):
        self._begin(request, context)
        yield pb.RemoveBackgroundResponse(progress=pb.Progress(step="decode", fraction=0.1))
        if self.cancels:
            raise CallAbandonedError
        if self.silent:
            self.hang.wait(30)
            return
        result = pb.CutoutResult(
            image=b"picture", media_type="image/png", debug=[pb.DebugPicture(name="raw", png=b"r")]
        )
        yield pb.RemoveBackgroundResponse(result=result)

    def GenerateMesh(self, request, context):
        self._begin(request, context)
        yield pb.GenerateMeshResponse(result=pb.MeshResult(mesh=b"glTF", format="MESH_FORMAT_GLB", cutout=b"c"))

    def GetDepth(self, request, context):
        self._begin(request, context)
        depth = depth_to_proto(np.ones((3, 4), np.float32))
        return pb.GetDepthResponse(depth=depth, stage=pb.StageReceipt(stage="depth"))


@pytest.fixture
def orchestrator():
    servicer = _Orchestrator()
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[ErrorInterceptor()])
    pb_grpc.add_OrchestratorServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    servicer.hang.set()
    server.stop(0).wait()


class _Blocking:
    """An `AsyncClient` on a loop of its own, called as `Client` is."""

    def __init__(self, address, timeout_s):
        self._arguments = (address, timeout_s)

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._client = self._portal.call(AsyncClient, *self._arguments)
        self._stack.callback(self._portal.call, self._client.close)
        return self

    def __exit__(self, *error):
        self._stack.close()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *values, **options: self._portal.call(functools.partial(method, *values, **options))


@pytest.fixture(params=[Client, _Blocking], ids=["sync", "async"])
def connect(request):
    """Either client, by address and time."""
    return request.param


@pytest.fixture
def client(connect, orchestrator):
    with connect(orchestrator.address, 20) as one:
        yield one


def test_a_cutout_comes_with_its_type_and_debug_pictures(client):
    made = client.remove_background(b"photo", debug=True)
    assert (made.data, made.media_type, made.debug) == (b"picture", "image/png", {"raw": b"r"})


def test_options_become_fields_and_unset_ones_stay_unset(client, orchestrator):
    client.remove_background(
        b"photo",
        mask=MaskOptions(
            preset="fast",
            strategy="union",
            depth=False,
            kernel_size=7,
            mask=b"mask",
            depth_quality="high",
            model="u2netp",
        ),
        cutout=CutoutOptions(format="webp", background=(1, 2, 3), erode_size=0),
    )
    (request,) = orchestrator.asked
    assert (request.photo.file, request.photo.mask) == (b"photo", b"mask")
    assert request.mask.segmentation.preset == segmentation_pb2.PRESET_FAST
    assert request.mask.segmentation.kernel_size == 7
    assert not request.mask.segmentation.HasField("blur_size")
    assert (request.mask.strategy, request.mask.depth) == (pb.STRATEGY_UNION, False)
    assert request.mask.estimate.depth_quality == depth_pb2.DEPTH_QUALITY_HIGH
    assert request.mask.segmentation.model == "u2netp"
    assert request.cutout.format == pb.IMAGE_FORMAT_WEBP
    assert list(request.cutout.background) == [1, 2, 3]
    assert request.cutout.HasField("erode_size")
    assert not request.cutout.HasField("matting")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.remove_background(b"", mask=MaskOptions(preset="best")), "preset"),
        (lambda client: client.remove_background(b"", mask=MaskOptions(strategy="magic")), "strategy"),
        (lambda client: client.generate_mesh(b"", mesh=MeshOptions(format="fbx")), "format"),
        (lambda client: client.estimate_depth(b"", depth=DepthOptions(depth_quality="best")), "depth_quality"),
    ],
    ids=["preset", "strategy", "format", "depth quality"],
)
def test_an_unknown_word_is_refused_before_anything_is_sent(client, orchestrator, call, field):
    with pytest.raises(InvalidOption, match="wanted one of") as caught:
        call(client)
    assert caught.value.field == field
    assert not orchestrator.asked


def test_errors_arrive_as_their_class(client, orchestrator):
    orchestrator.problem = NoSubject("nothing stands out")
    for call in (client.remove_background, client.generate_mesh, client.estimate_depth):
        with pytest.raises(NoSubject, match="nothing stands out"):
            call(b"photo")


def test_a_stream_without_a_result_is_an_error_of_ours(client, orchestrator):
    orchestrator.silent = True
    orchestrator.hang.set()
    with pytest.raises(Internal, match="without a result"):
        client.remove_background(b"photo")


def test_a_call_that_the_other_side_cancels_is_an_error_of_ours(client, orchestrator):
    orchestrator.cancels = True
    with pytest.raises(Internal, match="CANCELLED"):
        client.remove_background(b"photo")


def test_the_timeout_is_the_deadline(connect, orchestrator):
    orchestrator.silent = True
    with connect(orchestrator.address, 0.3) as client, pytest.raises(DeadlineExceeded):
        client.remove_background(b"photo")


def test_closing_the_stream_cancels_the_request(orchestrator):
    orchestrator.silent = True
    with Client(orchestrator.address, 20) as client:
        events = client.stream_cutout(b"photo", mask=MaskOptions(), cutout=CutoutOptions())
        assert next(events).step == "decode"
        events.close()
        assert orchestrator.cancelled.wait(20)


def test_cancelling_the_task_cancels_the_request(orchestrator):
    orchestrator.silent = True

    async def scene():
        came = asyncio.Event()
        async with AsyncClient(orchestrator.address, 20) as client:
            events = client.stream_cutout(b"photo", mask=MaskOptions(), cutout=CutoutOptions())
            task = asyncio.create_task(result_of(events, lambda _: came.set()))
            await came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await asyncio.to_thread(orchestrator.cancelled.wait, 20)

    assert asyncio.run(scene())


@pytest.mark.parametrize("problem", [None, NoSubject("nothing stands out")], ids=["done", "failed"])
def test_a_call_that_is_over_leaves_no_photo_behind(orchestrator, monkeypatch, problem):
    orchestrator.problem = problem
    calls = []

    async def scene():
        async with AsyncClient(orchestrator.address, 20) as client:
            begin = client._stub.RemoveBackground

            def watched(*request, **options):
                call = begin(*request, **options)
                calls.append(weakref.ref(call))
                return call

            monkeypatch.setattr(client._stub, "RemoveBackground", watched)
            with contextlib.suppress(NoSubject):
                await client.remove_background(b"photo")
            await asyncio.sleep(0)
            return calls[0]()

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scene()) is None
    finally:
        gc.enable()


def test_mesh_and_depth_come_back_as_plain_values(client):
    made = client.generate_mesh(b"photo")
    assert (made.data, made.format, made.cutout) == (b"glTF", "glb", b"c")
    depth, stage = client.estimate_depth(b"photo")
    assert depth.shape == (3, 4)
    assert stage.stage == "depth"


@pytest.mark.slow
def test_nobody_listening_is_stage_unavailable(connect):
    with connect("127.0.0.1:1", 10) as client, pytest.raises(StageUnavailable, match=r"127\.0\.0\.1:1"):
        client.status()
