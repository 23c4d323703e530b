"""Channels between the services."""

from __future__ import annotations

import asyncio
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.common.calling.channels import open_aio_channel, open_channel
from services.common.calling.renewing_channels import Renewal

ASKED = health_pb2.HealthCheckRequest()
NOBODY = "http://127.0.0.1:9"  # the discard port: a proxy that is not there


@pytest.fixture()
def address():
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"])
def test_a_proxy_of_the_environment_is_not_asked_for_our_own_services(address, variable, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.setenv(variable, NOBODY)
    with open_channel(address, None) as channel:
        assert health_pb2_grpc.HealthStub(channel).Check(ASKED, timeout=10).status == 1

    async def ask() -> int:
        channel = open_aio_channel(address, Renewal(None))
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(ASKED, timeout=10)
        finally:
            await channel.close()
        return int(answer.status)

    assert asyncio.run(ask()) == 1
