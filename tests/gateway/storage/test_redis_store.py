"""Several gateways over one real Redis: any of them answers, and none falls when Redis does."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from services.common.errors import StageUnavailable
from services.gateway.storage.open_store import open_store
from services.gateway.storage.redis_store import RedisStore
from tests.waiting import until


@pytest.fixture
def replicas(open_house, redis_server):
    """Two gateways, each with an orchestrator of its own, and the Redis between them."""
    return open_house(store=redis_server.url), open_house(store=redis_server.url)


def start(house, photo):
    return house.http.post("/jobs/cutout", files={"file": ("mug.jpg", photo)}).json()["id"]


def state(house, job_id, wanted):
    def looked():
        job = house.http.get(f"/jobs/{job_id}").json()
        return job if job["state"] in wanted else None

    return until(looked)


def followed(house, job_id):
    with house.http.stream("GET", f"/jobs/{job_id}/events") as answer:
        lines = "".join(answer.iter_text()).splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_values_live_and_end_as_in_memory(redis_server):
    async def scene():
        store = RedisStore(redis_server.url)
        await store.put("a", b"\x00\xff", ttl_s=60)
        await store.put("short", b"1", ttl_s=0.02)
        read, replaced = await store.get("a"), await store.replace("a", b"2", ttl_s=60)
        dropped = await store.drop("a", "none")
        revived = await store.replace("a", b"3", ttl_s=60)
        while await store.get("short") is not None:
            await asyncio.sleep(0.01)
        found = read, replaced, dropped, revived, await store.get("a")
        await store.close()
        return found

    assert asyncio.run(scene()) == (b"\x00\xff", True, 1, False, None)


def test_everything_that_is_kept_has_an_end(replicas, redis_server, photo):
    a, _ = replicas
    state(a, start(a, photo), ("done",))
    with redis.Redis.from_url(redis_server.url) as client:
        ends = {key: client.pttl(key) for key in client.keys("unflat:*")}
    assert len(ends) >= 6
    assert all(end > 0 for end in ends.values()), ends


def test_any_replica_answers_for_a_job_and_its_receipt(replicas, photo):
    a, b = replicas
    job = state(b, start(a, photo), ("done",))
    assert b.http.get(f"/jobs/{job['id']}/result").content == a.orchestrator.png
    assert b.http.get(f"/jobs/{job['id']}/artifacts/hybrid.png").status_code == 200
    assert b.http.get(f"/receipts/{job['id']}").json()["request_id"] == job["id"]
    assert not b.orchestrator.calls


def test_events_of_a_job_come_from_any_replica(replicas, photo):
    a, b = replicas
    a.orchestrator.gate = threading.Event()
    job_id = start(a, photo)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(followed, b, job_id)
        until(lambda: b.http.app.state.gateway.jobs.watched(job_id))
        a.orchestrator.gate.set()
        assert told.result()[-1]["state"] == "done"


def test_any_replica_cancels_a_job(replicas, photo):
    a, b = replicas
    a.orchestrator.gate = threading.Event()
    job_id = start(a, photo)
    state(b, job_id, ("running",))
    assert b.http.delete(f"/jobs/{job_id}").status_code == 204
    until(lambda: a.orchestrator.cancelled)
    assert a.http.get(f"/jobs/{job_id}").status_code == 404


def test_job_of_a_replica_that_died_has_failed(replicas, redis_server, photo):
    a, b = replicas
    a.orchestrator.gate = threading.Event()
    job_id = start(a, photo)
    state(b, job_id, ("running",))
    with redis.Redis.from_url(redis_server.url) as client:
        client.delete(f"unflat:gateway:{a.http.app.state.gateway.jobs.owner}")
    job = b.http.get(f"/jobs/{job_id}").json()
    assert (job["state"], job["error"]["code"]) == ("failed", "STAGE_UNAVAILABLE")
    assert followed(b, job_id)[-1]["state"] == "failed"
    a.orchestrator.gate.set()


def test_clients_of_several_replicas_are_counted_together(open_house, redis_server, photo):
    a, b = (open_house(store=redis_server.url, rate="2/minute") for _ in range(2))
    answers = [house.http.post("/remove-bg", files={"file": photo}).status_code for house in (a, b, a, b)]
    assert answers == [200, 200, 429, 429]


def test_redis_that_is_gone_costs_jobs_but_no_photo(replicas, redis_server, photo):
    a, _ = replicas
    job_id = start(a, photo)
    state(a, job_id, ("done",))
    redis_server.stop()
    for answer in (
        a.http.post("/jobs/cutout", files={"file": photo}),
        a.http.get(f"/jobs/{job_id}"),
        a.http.get(f"/jobs/{job_id}/events"),
        a.http.delete(f"/jobs/{job_id}"),
        a.http.get(f"/receipts/{job_id}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "STAGE_UNAVAILABLE")
        assert "store of jobs" in answer.json()["detail"]
        assert "retry-after" in answer.headers
    cutout = a.http.post("/remove-bg", files={"file": photo})
    assert (cutout.status_code, "x-unflat-receipt" in cutout.headers) == (200, False)
    ready = a.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    redis_server.start()
    assert state(a, start(a, photo), ("done",))["error"] is None
    assert a.http.get("/readyz").json()["status"] == "ready"


def test_rate_that_cannot_be_counted_lets_in(open_house, redis_server, photo):
    house = open_house(store=redis_server.url, rate="1/minute")
    redis_server.stop()
    answers = [house.http.post("/remove-bg", files={"file": photo}).status_code for _ in range(2)]
    assert answers == [200, 200]


def test_running_job_survives_a_redis_that_comes_back(replicas, redis_server, photo):
    """Redis without a file has forgotten the job: it ends like one that was deleted, and nothing crashes."""
    a, _ = replicas
    a.orchestrator.gate = threading.Event()
    job_id = start(a, photo)
    state(a, job_id, ("running",))
    redis_server.stop()
    until(lambda: a.http.get(f"/jobs/{job_id}").status_code >= 500)
    redis_server.start()
    until(lambda: a.orchestrator.cancelled)
    assert a.http.get(f"/jobs/{job_id}").status_code == 404
    assert state(a, start(a, photo), ("running",))["error"] is None
    a.orchestrator.gate.set()


def test_full_redis_is_a_sentence(redis_server):
    async def scene():
        redis_server.stop()
        redis_server.start("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
        store = RedisStore(redis_server.url)
        try:
            await store.put("a", bytes(4 << 20), ttl_s=60)
            await store.put("b", b"1", ttl_s=60)
        finally:
            await store.close()

    with pytest.raises(StageUnavailable, match="full"):
        asyncio.run(scene())


def test_unknown_address_is_refused_without_repeating_it():
    with pytest.raises(ValueError, match="--store") as refused:
        open_store("amqp://user:pass@host", 1)
    assert "pass" not in str(refused.value)
