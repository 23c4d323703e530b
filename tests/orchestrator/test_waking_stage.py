"""A stage that was scaled to nothing and comes back: found by the first probe, not when gRPC next asks DNS."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from services.common.errors import StageUnavailable
from services.orchestrator.stages.circuit_breaker import Breaker
from services.orchestrator.stages.stage_channel import StageChannel
from unflat.v1 import status_pb2, status_pb2_grpc


class _Names:
    """A DNS server on loopback that has no address for anything until it is told to answer 127.0.0.1."""

    def __init__(self) -> None:
        self.known = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            text, caller = self._socket.recvfrom(512)
            if not text:
                return
            [kind] = struct.unpack_from(">H", text, text.index(b"\0", 12) + 1)
            answers = 1 if self.known and kind == 1 else 0
            record = struct.pack(">HHHIH4B", 0xC00C, 1, 1, 0, 4, 127, 0, 0, 1) * answers
            question = text[12 : text.index(b"\0", 12) + 5]
            self._socket.sendto(text[:2] + struct.pack(">5H", 0x8580, 1, answers, 0, 0) + question + record, caller)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


class _Status(status_pb2_grpc.StatusServiceServicer):
    def GetServiceStatus(self, request: Any, context: Any) -> status_pb2.GetServiceStatusResponse:
        return status_pb2.GetServiceStatusResponse(serving=True)


@pytest.fixture
def names() -> Iterator[_Names]:
    made = _Names()
    yield made
    made.close()


@pytest.fixture
def port() -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    status_pb2_grpc.add_StatusServiceServicer_to_server(_Status(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


def test_the_first_probe_finds_a_stage_that_has_come_back(names: _Names, port: int) -> None:
    now = [0.0]

    async def ask(channel: StageChannel) -> bool:
        with channel.watched(20):
            stub = status_pb2_grpc.StatusServiceStub(channel.channel)
            return bool((await stub.GetServiceStatus(status_pb2.GetServiceStatusRequest(), timeout=20)).serving)

    async def scenario() -> None:
        channel = StageChannel("depth", f"dns://127.0.0.1:{names.port}/depth.test:{port}")
        channel.breaker = Breaker("depth", failures=2, rest_s=3, clock=lambda: now[0])
        for _ in range(3):
            with pytest.raises(StageUnavailable):
                await ask(channel)
        names.known = True
        now[0] += 3
        assert await ask(channel)
        assert channel.breaker.state == "closed"
        await channel.channel.close()

    asyncio.run(scenario())
