"""A TCP proxy that misbehaves on demand: late, silent or torn."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

Mode = Literal["pass", "black hole", "reset"]

_CHUNK_BYTES = 1 << 16


class FaultProxy:
    """Stands between a client and `target_port` on loopback.

    Args:
        target_port: where connections lead to.

    Attributes:
        mode: pass; black hole takes everything and answers nothing; reset tears every connection at its first bytes.
        latency_s: added to each piece in each direction while passing.
        taken: connections so far.
    """

    def __init__(self, target_port: int) -> None:
        self.mode: Mode = "pass"
        self.latency_s = 0.0
        self.taken = 0
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *given: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._lead(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # torn, as wanted
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "reset":
            await reader.read(1)
            return
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            await asyncio.gather(self._copy(reader, target_writer), self._copy(target_reader, writer))
        finally:
            target_writer.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK_BYTES):
                if self.mode == "reset":
                    raise ConnectionResetError
                if self.mode == "black hole":
                    continue
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                target.write(data)
                await target.drain()
        target.close()
