"""Decoding in worker processes with limits of memory and time: a hostile file ends a worker, never a service."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from services.common.errors import ImageTooLarge, InvalidImage, UnflatError
from services.common.telemetry import metrics

T = TypeVar("T")

_TASKS_A_WORKER = 500  # then a fresh process: decoders written in C may leak


class DecodePool:
    """Runs decoding functions in processes of their own.

    Args:
        workers: processes.
        memory_bytes: address space of each; beyond it the picture is refused.
        time_s: longest time for one picture.
    """

    def __init__(self, workers: int = 2, memory_bytes: int = 4 << 30, time_s: float = 20.0) -> None:
        self._time_s = time_s
        # spawn: a fork of a process with gRPC threads may hang.
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=_TASKS_A_WORKER,
            initializer=_limit_memory,
            initargs=(memory_bytes,),
            context=multiprocessing.get_context("spawn"),
        )

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Return `function(*arguments)`, computed in a worker.

        Raises:
            InvalidImage: it took too long, or the worker died of it.
            ImageTooLarge: it needed more memory than a worker may have.
            UnflatError: what the function itself raised.
        """
        future = self._pool.schedule(function, args=arguments, timeout=self._time_s)
        try:
            answer: T = await asyncio.wrap_future(future)
        except UnflatError as problem:
            metrics.DECODE_REFUSED.labels(problem.reason).inc()
            raise
        except FutureTimeoutError:
            metrics.DECODE_REFUSED.labels("TIMEOUT").inc()
            raise InvalidImage(f"the picture took longer than {self._time_s:.0f} s to decode", field="file") from None
        except MemoryError:
            metrics.DECODE_REFUSED.labels("MEMORY").inc()
            raise ImageTooLarge("the picture needs more memory than decoding may use", field="file") from None
        except ProcessExpired:
            metrics.DECODE_REFUSED.labels("CRASH").inc()
            raise InvalidImage("the picture could not be decoded: its decoder crashed", field="file") from None
        return answer

    async def warm_up(self) -> None:
        """Start a worker and load the decoders, so that the first request does not wait for them."""
        await self.run(_import_decoders)

    def close(self) -> None:
        """End all workers now."""
        self._pool.stop()
        self._pool.join()


def _limit_memory(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _import_decoders() -> None:
    import services.common.photos.decoding  # noqa: F401 - loading it is the point
