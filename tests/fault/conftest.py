"""A depth service that does what the test tells it, down to the bytes; and a whole system of real processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from services.common.wire import depth_to_proto
from tests.fault.system import System
from unflat.v1 import common_pb2, depth_pb2

Behaviour = Callable[[depth_pb2.EstimateDepthRequest, grpc.ServicerContext], bytes]


class DepthServer:
    """Counts its calls and answers with the bytes of `behaviour`."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = self.good
        self.calls = 0
        self.release = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer, request_deserializer=depth_pb2.EstimateDepthRequest.FromString
        )
        name = depth_pb2.DESCRIPTOR.services_by_name["DepthService"].full_name
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"EstimateDepth": handler}),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, request: Any, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        return self.behaviour(request, context)

    def good(self, request: Any, context: Any) -> bytes:
        """Answer a ramp at the photo's size."""
        width, height = request.image.width, request.image.height
        return self.encode(np.tile(np.linspace(1, 2, width, dtype=np.float32), (height, 1)))

    @staticmethod
    def encode(depth: np.ndarray) -> bytes:
        """Return an answer that carries `depth`."""
        report = common_pb2.StageReport(backend="test", device="cpu")
        return depth_pb2.EstimateDepthResponse(depth=depth_to_proto(depth), report=report).SerializeToString()

    def hang(self, request: Any, context: Any) -> bytes:
        """Answer only when the test is over."""
        self.release.wait(60)
        return b""

    def die(self, request: Any, context: Any) -> bytes:
        """End the server while this call is under way."""
        self._server.stop(0)
        self.release.wait(60)
        return b""

    def close(self) -> None:
        """Let go of everything that hangs, and stop."""
        self.release.set()
        self._server.stop(0).wait()


@pytest.fixture
def server() -> Iterator[DepthServer]:
    """One such service."""
    one = DepthServer()
    yield one
    one.close()


@pytest.fixture(scope="session")
def depth_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A depth network of any input size: how bright a pixel is. Wrong, but whole and deterministic."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["image"], ["depth"], axes=[1], keepdims=0)],
        "depth",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, "h", "w"])],
    )
    path = tmp_path_factory.mktemp("networks") / "depth.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), str(path))
    return path


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, depth_network: Path) -> Iterator[System]:
    """The system, for all tests that hurt it."""
    with System(tmp_path_factory.mktemp("system"), f"onnx:{depth_network}?size=28") as one:
        yield one


@pytest.fixture
def system(running: System) -> Iterator[System]:
    """The system, healed after each test."""
    yield running
    running.heal()
