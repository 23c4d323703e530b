"""A TCP proxy that misbehaves on demand: late, irregular, in slices, through a thin line, silent, torn or gone."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Literal

Mode = Literal["pass", "black hole", "reset", "down"]

_CHUNK_BYTES = 1 << 16


class FaultProxy:
    """Stands between a client and `target_port` on loopback.

    Args:
        target_port: where connections lead to.

    Attributes:
        mode: pass; black hole takes everything and answers nothing; reset tears every connection at its next bytes;
            down tears it before the first.
        latency_s: added to each piece in each direction while passing.
        jitter_s: added on top, each time another part of it.
        slice_bytes: pieces are handed on in slices of this size; 0 leaves them whole.
        bytes_per_s: how much fits through in a second; 0 is no limit.
        taken: connections so far.
    """

    def __init__(self, target_port: int) -> None:
        self.mode: Mode = "pass"
        self.latency_s = 0.0
        self.jitter_s = 0.0
        self.slice_bytes = 0
        self.bytes_per_s = 0
        self._random = random.Random(0)
        self.taken = 0
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def heal(self) -> None:
        """Pass everything on again, at once and whole."""
        self.mode, self.latency_s, self.jitter_s, self.slice_bytes, self.bytes_per_s = "pass", 0.0, 0.0, 0, 0

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
        if self.mode == "down":
            return
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
                if self.mode in ("reset", "down"):
                    raise ConnectionResetError
                if self.mode == "black hole":
                    continue
                await asyncio.sleep(self.latency_s + self.jitter_s * self._random.random())
                step = self.slice_bytes or (self.bytes_per_s and 1024) or len(data)
                for begin in range(0, len(data), step):
                    piece = data[begin : begin + step]
                    if self.bytes_per_s:
                        await asyncio.sleep(len(piece) / self.bytes_per_s)
                    target.write(piece)
                    await target.drain()
        target.close()


@contextlib.contextmanager
def proxies_to(*ports: int) -> Iterator[list[FaultProxy]]:
    """Run a proxy for each port in a thread of their own, for tests that wait for answers themselves."""
    made: list[FaultProxy] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            made.extend([await stack.enter_async_context(FaultProxy(port)) for port in ports])
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="proxies")
    thread.start()
    try:
        assert ready.wait(20)
        yield made
    finally:
        done.set()
        thread.join()
