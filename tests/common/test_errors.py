"""The error tree and its way across the wire."""

from __future__ import annotations

from concurrent import futures

import grpc
import pytest

from services.common import errors
from services.common.errors import Internal, InvalidOption, NoSubject, Overloaded, StageUnavailable, UnflatError
from services.common.rpc_errors import from_rpc_error
from services.common.serving.interceptors import ErrorInterceptor
from services.common.telemetry.logs import REQUEST_ID_KEY
from unflat.v1 import depth_pb2, depth_pb2_grpc


class _Raising(depth_pb2_grpc.DepthServiceServicer):
    def __init__(self) -> None:
        self.problem: Exception = Internal("")

    def EstimateDepth(self, request, context):
        raise self.problem


@pytest.fixture(scope="module")
def raising():
    servicer = _Raising()
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[ErrorInterceptor()])
    depth_pb2_grpc.add_DepthServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = depth_pb2_grpc.DepthServiceStub(channel)

        def call(problem: Exception) -> tuple[UnflatError, grpc.RpcError]:
            servicer.problem = problem
            with pytest.raises(grpc.RpcError) as caught:
                stub.EstimateDepth(
                    depth_pb2.EstimateDepthRequest(), timeout=10, metadata=((REQUEST_ID_KEY, "abc-123"),)
                )
            return from_rpc_error(caught.value, "depth"), caught.value

        yield call
    server.stop(None)


@pytest.mark.parametrize("kind", errors.ALL, ids=lambda kind: kind.__name__)
def test_every_error_arrives_as_the_class_it_was(raising, kind):
    arrived, wire = raising(kind("one sentence"))
    assert type(arrived) is kind
    assert arrived.message == "one sentence"
    assert wire.code().name == kind.grpc_status


def test_field_and_retry_hint_survive_the_wire(raising):
    arrived, _ = raising(InvalidOption("kernel_size is 9; wanted 3, 5 or 7", field="kernel_size"))
    assert arrived.field == "kernel_size"
    arrived, _ = raising(Overloaded("full", retry_after_s=1.5))
    assert arrived.retry_after_s == pytest.approx(1.5)


def test_facts_survive_the_wire_and_the_request_id_is_not_one_of_them(raising):
    arrived, _ = raising(NoSubject("nothing stands out", facts={"width": "640", "height": "480"}))
    assert arrived.facts == {"width": "640", "height": "480"}


def test_a_defect_leaves_without_its_text_and_names_the_request(raising):
    arrived, wire = raising(ValueError("password=hunter2"))
    assert isinstance(arrived, Internal)
    assert "hunter2" not in wire.details()
    assert "abc-123" in wire.details()


def test_a_very_long_message_is_cut_instead_of_breaking_the_metadata(raising):
    arrived, wire = raising(InvalidOption("x" * 50_000, field="file"))
    assert isinstance(arrived, InvalidOption), wire.details()[:200]


def test_nobody_listening_is_stage_unavailable():
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        depth_pb2_grpc.DepthServiceStub(channel).EstimateDepth(depth_pb2.EstimateDepthRequest(), timeout=10)
    assert isinstance(from_rpc_error(caught.value, "depth"), StageUnavailable)
