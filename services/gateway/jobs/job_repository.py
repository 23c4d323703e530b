"""Jobs in a store: their records, their files, and who watches them.

A record that is gone means that nobody wants the job any more: whoever runs it stops. So any replica can cancel a job
by forgetting it. A record whose owner has stopped renewing its lease is a failed job, whatever it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

from services.common.errors import StageUnavailable
from services.gateway.jobs.job import RESULT, Job, Kind, from_bytes, to_bytes
from services.gateway.problems import problem_body
from services.gateway.storage.store import Store

LOOK_S = 0.25  # how often a record of another replica is read anew
_LEASE_S = 15.0  # an owner that is silent for so long is gone
_RENEW_S = 5.0


class JobRepository:
    """Keeps jobs in a store; used from the event loop only.

    Args:
        store: where.
        ttl_s: how long each is kept after its last change, in seconds.
        clock: Unix time in seconds, which replicas share.
    """

    def __init__(self, store: Store, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        self.owner = secrets.token_hex(8)
        self.shared = store.shared
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock
        self._watchers: dict[str, set[asyncio.Event]] = {}

    async def open(self, kind: Kind) -> Job:
        """Return a new job under an id that cannot be guessed.

        Raises:
            StageUnavailable: the store cannot be reached.
        """
        now = self._clock()
        await self._renew_lease()
        job = Job(secrets.token_hex(16), kind, self.owner, created=now, expires=now + self._ttl_s)
        await self._store.put(_record(job.id), to_bytes(job), self._ttl_s)
        return job

    async def write(self, job: Job) -> Job | None:
        """Keep a change, and return the job as it is kept; None where it was forgotten meanwhile."""
        changed = replace(job, revision=job.revision + 1, expires=self._clock() + self._ttl_s)
        kept = await self._store.replace(_record(job.id), to_bytes(changed), self._ttl_s)
        self._wake(job.id)
        return changed if kept else None

    async def read(self, job_id: str) -> Job | None:
        """Return the job as it is, or None where there is none (any more)."""
        record = await self._store.get(_record(job_id))
        if record is None:
            return None
        job = from_bytes(record)
        if job.is_over or job.owner == self.owner or await self._store.get(_lease(job.owner)) is not None:
            return job
        lost = StageUnavailable("the gateway that ran this job has stopped; send the photo again")
        return job.failed(problem_body(lost, job.id))

    async def forget(self, job: Job) -> None:
        """Drop the record and the files; whoever runs the job stops at that."""
        files = (_file(job.id, name) for name in (RESULT, *job.artifacts))
        await self._store.drop(_record(job.id), *files)
        self._wake(job.id)

    async def keep_file(self, job_id: str, name: str, data: bytes) -> None:
        """Keep the result or a picture of a job."""
        await self._store.put(_file(job_id, name), data, self._ttl_s)

    async def file(self, job_id: str, name: str) -> bytes | None:
        """Return the result or a picture, or None where it is not there (any more)."""
        return await self._store.get(_file(job_id, name))

    async def watch(self, job: Job, heartbeat_s: float) -> AsyncIterator[Job | None]:
        """Yield the job as it is, then at every change until it is over; None where nothing happened for a while.

        Raises:
            StageUnavailable: the store cannot be reached.
        """
        look_s = min(LOOK_S, heartbeat_s) if self.shared else heartbeat_s
        sent: Job | None = None
        sent_at = time.monotonic()
        with self._woken(job.id) as woken:
            while True:
                woken.clear()
                now = await self.read(job.id) or (sent or job).cancelled()
                if sent is None or (now.revision, now.state) != (sent.revision, sent.state):
                    sent, sent_at = now, time.monotonic()
                    yield now
                elif time.monotonic() - sent_at >= heartbeat_s:
                    sent_at = time.monotonic()
                    yield None
                if now.is_over:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), look_s)

    def watched(self, job_id: str) -> int:
        """How many follow the job on this replica."""
        return len(self._watchers.get(job_id, ()))

    async def renew_leases(self) -> None:
        """Renew this process's lease every few seconds until cancelled."""
        while self.shared:
            with contextlib.suppress(StageUnavailable):  # it comes back, or it does not: callers hear it by themselves
                await self._renew_lease()
            await asyncio.sleep(_RENEW_S)

    async def _renew_lease(self) -> None:
        if self.shared:
            await self._store.put(_lease(self.owner), b"alive", _LEASE_S)

    def _wake(self, job_id: str) -> None:
        for event in self._watchers.get(job_id, ()):
            event.set()

    @contextlib.contextmanager
    def _woken(self, job_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._watchers.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._watchers[job_id].discard(event)
            if not self._watchers[job_id]:
                del self._watchers[job_id]


def _record(job_id: str) -> str:
    return f"job:{job_id}"


def _file(job_id: str, name: str) -> str:
    return f"job:{job_id}:file:{name}"


def _lease(owner: str) -> str:
    return f"gateway:{owner}"
