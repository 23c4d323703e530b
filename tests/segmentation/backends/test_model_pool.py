"""Several models within a budget: who is loaded, who leaves, who waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.errors import ModelMissing, StageUnavailable
from services.segmentation.backends.model_pool import ModelPool, memory_in_use

WAIT_S = 30  # for what comes at once


class Process:
    """A process whose memory grows by the sizes of the models it loads."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.in_use = 0
        self.loads: list[str] = []
        self.closed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def open(self, name: str) -> Model:
        if name not in self.sizes:
            raise ModelMissing(f"{name} is not here")
        return Model(name, self)


class Model:
    device, dtype, digest, licence, notes = "cpu", "float32", "", "", ()

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self.file_bytes = process.sizes[name] // 2

    def load(self) -> None:
        self.process.loads.append(self.name)
        self.process.begun.set()
        assert self.process.gate.wait(WAIT_S)
        if self.name == "broken":
            raise StageUnavailable("broken is no network")
        self.process.in_use += self.process.sizes[self.name]

    def close(self) -> None:
        self.process.closed.append(self.name)
        self.process.in_use -= self.process.sizes[self.name]


def pool_of(process: Process, budget: int) -> ModelPool:
    return ModelPool(process.open, budget, "own", memory=lambda: process.in_use)


def use(pool: ModelPool, *names: str) -> None:
    for name in names:
        with pool.use(name) as backend:
            assert backend.name == name


def test_a_model_is_loaded_once_and_stays():
    process = Process(own=10)
    use(pool_of(process, 100), "own", "own", "own")
    assert process.loads == ["own"]


def test_many_first_calls_load_once():
    process = Process(own=10)
    pool = pool_of(process, 100)
    process.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(use, pool, "own") for _ in range(8)]
        assert process.begun.wait(WAIT_S)
        process.gate.set()
        for call in calls:
            call.result(WAIT_S)
    assert process.loads == ["own"]


def test_the_least_recently_used_leaves_when_the_next_would_not_fit():
    process = Process(own=40, b=40, c=40)
    pool = pool_of(process, 100)
    use(pool, "own", "b", "own", "c")
    assert pool.loaded == ("own", "c")
    assert process.closed == ["b"]
    assert process.in_use <= 100


def test_a_size_is_what_the_process_grew_by_and_is_remembered():
    process = Process(own=60, b=60)
    pool = pool_of(process, 100)
    use(pool, "own", "b")  # by its file, half as large, b would fit beside
    assert pool.loaded == ("b",)
    use(pool, "own")
    assert (pool.loaded, process.in_use) == (("own",), 60)


def test_a_model_in_use_is_not_evicted_and_who_needs_its_room_waits():
    process = Process(own=60, b=60)
    pool = pool_of(process, 100)
    use(pool, "b")
    looked = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        with pool.use("own"):
            call = threads.submit(lambda: pool.use("b", looked.set).__enter__())
            assert looked.wait(WAIT_S)
            assert pool.loaded == ("own",)
        assert call.result(WAIT_S).name == "b"
    assert pool.loaded == ("b",)


def test_who_waits_may_give_up():
    process = Process(own=60, b=60)
    pool = pool_of(process, 100)
    use(pool, "b")

    def give_up() -> None:
        raise TimeoutError

    with pool.use("own"):
        with pytest.raises(TimeoutError), pool.use("b", give_up):
            pass
        assert pool.loaded == ("own",)
    use(pool, "b")


def test_a_model_larger_than_the_budget_is_refused_unless_it_is_the_services_own():
    process = Process(own=300, b=300)
    pool = pool_of(process, 100)
    use(pool, "own", "own")
    with pytest.raises(ModelMissing, match="--model-budget-mb"), pool.use("b"):
        pass
    assert (pool.loaded, process.loads) == (("own",), ["own"])


def test_a_model_that_turns_out_too_large_leaves_after_its_call_and_is_refused_from_then_on():
    process = Process(own=10, b=150)
    pool = pool_of(process, 100)
    use(pool, "own", "b")
    assert pool.loaded == ()
    with pytest.raises(ModelMissing), pool.use("b"):
        pass


def test_all_who_wait_for_a_load_hear_that_it_failed_and_the_next_tries_again():
    process = Process(own=10, broken=10)
    pool = pool_of(process, 100)
    process.gate.clear()
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(use, pool, "broken") for _ in range(4)]
        assert process.begun.wait(WAIT_S)
        process.gate.set()
        for call in calls:
            with pytest.raises(StageUnavailable, match="broken is no network"):
                call.result(WAIT_S)
    with pytest.raises(StageUnavailable), pool.use("broken"):
        pass
    use(pool, "own")
    assert pool.loaded == ("own",)


def test_a_name_without_a_model_takes_no_room():
    process = Process(own=10)
    pool = pool_of(process, 100)
    use(pool, "own")
    with pytest.raises(ModelMissing), pool.use("gone"):
        pass
    assert pool.loaded == ("own",)


def test_a_call_that_fails_gives_its_model_back():
    process = Process(own=60, b=60)
    pool = pool_of(process, 100)
    with pytest.raises(ValueError, match="a bad photo"), pool.use("own"):
        raise ValueError("a bad photo")
    use(pool, "b")
    assert pool.loaded == ("b",)


def test_the_memory_of_this_process_is_told():
    assert memory_in_use() > 1 << 20
