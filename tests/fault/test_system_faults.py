"""What is done to real processes and the network between them, and what becomes of requests: no one is lost."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from services.common.client import Client, CutoutResult
from services.common.errors import DeadlineExceeded, Overloaded, StageUnavailable, UnflatError
from services.common.options import CutoutOptions, MaskOptions, MeshOptions
from tests.fault.system import CONCURRENCY, QUEUE, System, depth_of
from tests.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.e2e]

PATIENT = MaskOptions(preset="fast", depth_wait_s=20.0)
HURRIED = MaskOptions(preset="fast", depth_wait_s=0.3)
WITHOUT = MaskOptions(preset="fast", depth=False)
SHORT_S = 3.0


def _photo(scale: int = 1) -> bytes:
    y, x = np.mgrid[0 : 72 * scale, 0 : 96 * scale] / scale
    rgb = np.full((*x.shape, 3), (60, 90, 160), np.uint8)
    rgb[np.hypot(x - 48, y - 36) < 24] = (200, 60, 40)
    return cv2.imencode(".png", rgb)[1].tobytes()


PHOTO = _photo()


@pytest.fixture(scope="module")
def without_depth(running: System) -> bytes:
    """The cutout as it is without depth, and the system warm."""
    running.client.generate_mesh(PHOTO, mask=PATIENT)
    return running.client.remove_background(PHOTO, mask=WITHOUT).data


def _recover(system: System) -> None:
    """Heal, and send requests until depth is well again: breaker closed, connection back."""
    system.heal()
    until(lambda: depth_of(system.client.remove_background(PHOTO, mask=PATIENT).receipt) == "OK")


# ── the network between orchestrator and depth ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [{"latency_s": 0.05}, {"jitter_s": 0.05}, {"slice_bytes": 97}, {"bytes_per_s": 200_000}],
    ids=["latency", "jitter", "slices", "thin line"],
)
def test_a_bad_line_to_depth_is_only_slower(system, without_depth, fault):
    _recover(system)
    for name, value in fault.items():
        setattr(system.proxies["depth"], name, value)
    receipt = system.client.remove_background(PHOTO, mask=PATIENT).receipt
    assert depth_of(receipt) == "OK"
    assert not receipt.degraded


@pytest.mark.parametrize(
    ("fault", "asked", "outcomes"),
    [
        ({"mode": "black hole"}, HURRIED, {"TIMEOUT"}),
        ({"bytes_per_s": 2_000}, HURRIED, {"TIMEOUT"}),
        ({"mode": "reset"}, PATIENT, {"UNAVAILABLE"}),
        ({"mode": "down"}, PATIENT, {"UNAVAILABLE"}),
    ],
    ids=["black hole", "line far too thin", "reset", "down"],
)
def test_a_line_to_depth_that_does_not_carry_costs_nothing_but_depth(system, without_depth, fault, asked, outcomes):
    _recover(system)
    for name, value in fault.items():
        setattr(system.proxies["depth"], name, value)
    made = system.client.remove_background(PHOTO, mask=asked)
    assert depth_of(made.receipt) in outcomes
    _assert_good_without_depth(made, without_depth)


def _assert_good_without_depth(made: CutoutResult, without_depth: bytes) -> None:
    assert made.data == without_depth
    assert made.receipt.degraded
    assert [warning for warning in made.receipt.warnings if warning.startswith("made without depth")]


# ── the depth process ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_depth_process_that_stands_still_is_left_behind(system, without_depth):
    _recover(system)
    system.signal("depth", signal.SIGSTOP)
    try:
        made = system.client.remove_background(PHOTO, mask=HURRIED)
    finally:
        system.signal("depth", signal.SIGCONT)
    assert depth_of(made.receipt) == "TIMEOUT"
    _assert_good_without_depth(made, without_depth)


def test_a_depth_process_killed_in_the_middle_of_a_call_costs_nothing_but_depth(system, without_depth):
    _recover(system)
    system.signal("depth", signal.SIGSTOP)  # the call is under way, and stays so
    with ThreadPoolExecutor(1) as callers:
        request = callers.submit(system.client.remove_background, PHOTO, mask=PATIENT)
        while not any("orchestrator" in name and "demand" in name and "depth" in name for name in _demand(system)):
            assert not request.done()
        system.kill("depth")
        made = request.result()
    system.launch("depth")
    system.wait_for("depth")
    assert depth_of(made.receipt) == "UNAVAILABLE"
    _assert_good_without_depth(made, without_depth)


def _demand(system: System) -> dict[str, float]:
    return system.gauges(("orchestrator",))


def test_depth_without_a_model_says_why_on_the_receipt(system, without_depth):
    system.kill("depth")
    system.launch("depth", "--backend=none")
    system.wait_for("depth")
    try:
        while "switched off" not in " ".join((made := _cut(system)).receipt.warnings):
            assert depth_of(made.receipt) == "UNAVAILABLE"  # still the old connection, or the breaker
    finally:
        system.kill("depth")
        system.launch("depth")
        system.wait_for("depth")
    _assert_good_without_depth(made, without_depth)


def _cut(system: System) -> CutoutResult:
    return system.client.remove_background(PHOTO, mask=PATIENT)


def test_depth_killed_and_restarted_under_load_loses_no_request_and_quality_returns(system, without_depth):
    _recover(system)
    made: list[CutoutResult] = []
    lost: list[BaseException] = []
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            try:
                made.append(_cut(system))
            except BaseException as problem:
                lost.append(problem)

    callers = [threading.Thread(target=send) for _ in range(CONCURRENCY + 1)]
    for caller in callers:
        caller.start()
    try:
        until(lambda: len(made) >= 6 or lost)
        system.kill("depth")
        until(lambda: made[-1].receipt.degraded or lost)
        system.launch("depth")
        system.wait_for("depth")
        back = time.monotonic()
        until(lambda: not made[-1].receipt.degraded or lost)
        print(f"full quality again {time.monotonic() - back:.1f} s after depth's return")
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert not lost
    assert all(one.receipt.degraded == (depth_of(one.receipt) != "OK") for one in made)
    assert all(one.data == without_depth for one in made if one.receipt.degraded)


# ── segmentation and mesher: a clear error, within the deadline ─────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", ["segmentation", "mesher"])
@pytest.mark.parametrize(
    ("mode", "kind"), [("down", StageUnavailable), ("reset", StageUnavailable), ("black hole", DeadlineExceeded)]
)
def test_a_stage_that_cannot_be_reached_is_an_error_of_its_kind(system, without_depth, stage, mode, kind):
    _recover_all(system)
    system.proxies[stage].mode = mode
    timeout_s = SHORT_S if mode == "black hole" else 30.0
    with Client(system.address, timeout_s) as client, pytest.raises(kind) as caught:
        client.generate_mesh(PHOTO, mask=WITHOUT)
    assert stage in caught.value.message or kind is DeadlineExceeded
    system.wait_until_idle()


def _recover_all(system: System) -> None:
    system.heal()

    def is_well() -> bool:
        with contextlib.suppress(UnflatError):
            return bool(system.client.generate_mesh(PHOTO, mask=WITHOUT))
        return False

    until(is_well)


# ── callers who leave, and callers who are too many ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", ["segmentation", "mesher"])
def test_a_caller_who_leaves_gives_back_every_place_of_every_process(system, without_depth, stage):
    _recover_all(system)
    events = system.client.stream_mesh(_photo(scale=5), mask=WITHOUT, mesh=MeshOptions(resolution=200))
    for event in events:
        if event.stage == stage:
            break
    events.close()
    system.wait_until_idle()


def test_ten_times_more_than_it_can_take_is_refused_or_done_and_nothing_else(system, without_depth):
    _recover_all(system)
    _overload(system)  # buffers and pools have their size from here on
    before = system.resident_mb()
    made, refused, serving = _overload(system)
    assert made + refused == 10 * (CONCURRENCY + QUEUE)
    assert made >= CONCURRENCY + QUEUE
    assert refused > 0
    assert serving == {health_pb2.HealthCheckResponse.SERVING}
    system.wait_until_idle()
    after = system.resident_mb()
    assert all(after[name] < before[name] * 1.1 + 20 for name in before), (before, after)


def _overload(system: System) -> tuple[int, int, set[int]]:
    """Send ten times what fits at once; return how many were made and refused, and what health said meanwhile."""
    callers = 10 * (CONCURRENCY + QUEUE)

    def send(_: int) -> bool:
        try:
            events = list(system.client.stream_cutout(PHOTO, mask=WITHOUT, cutout=CutoutOptions()))
        except Overloaded as problem:
            assert problem.retry_after_s is not None
            return False
        return isinstance(events[-1], CutoutResult)

    serving = set()
    with ThreadPoolExecutor(callers) as pool:
        requests = [pool.submit(send, number) for number in range(callers)]
        while not all(request.done() for request in requests):
            serving.add(system.health())
        results = [request.result() for request in requests]
    return sum(results), len(results) - sum(results), serving
