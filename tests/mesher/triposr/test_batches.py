"""Concurrent calls share a run of the network; who fails, fails alone. With planted failures, on a toy network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.backends.backend_catalogue import Resources
from services.common.backends.batching import BatchOptions
from services.common.errors import Overloaded, StageUnavailable
from services.common.models.model_store import StoredModel
from services.mesher.backends.base import FramedSubject, MeshOptions
from services.mesher.backends.catalogue import BACKENDS
from services.mesher.backends.triposr import TripoSRBackend
from services.mesher.geometry.camera import Camera
from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

CALLS = 4
POISON = 255  # grey of the picture that breaks the network


@pytest.fixture
def sizes() -> list[int]:
    return []


@pytest.fixture
def backend(toy_folder: Path, sizes: list[int]) -> TripoSRBackend:
    """Return a loaded backend that waits until all of its calls are there."""
    weights = StoredModel(toy_folder / "model.ckpt", "ab" * 32, "MIT")
    batching = BatchOptions(max_wait_s=20.0, observe=sizes.append)  # full batches end the wait
    opened = BACKENDS.open(f"triposr?device=cpu&dtype=float32&batch={CALLS}", Resources(lambda _: weights, 1, batching))
    opened.load()
    return opened


def _subject(grey: int) -> FramedSubject:
    y, x = np.mgrid[:80, :80] - 39.5
    rgba = np.full((80, 80, 4), grey, np.uint8)
    rgba[..., 3] = np.where(np.hypot(x, y) < 34, 255, 0)
    return FramedSubject(rgba, None, Camera(200.0, 40.0, 40.0))


def _mesh(backend: TripoSRBackend, grey: int, progress: Callable[[str, float], None] = lambda *_: None) -> Any:
    try:
        return backend.mesh(_subject(grey), MeshOptions(resolution=32, threshold=0.4), progress)
    except Exception as problem:
        return problem


def _all(backend: TripoSRBackend, greys: tuple[int, ...]) -> list[Any]:
    with ThreadPoolExecutor(len(greys)) as pool:
        return list(pool.map(lambda grey: _mesh(backend, grey), greys))


def _plant(
    backend: TripoSRBackend, monkeypatch: pytest.MonkeyPatch, fails: Callable[[list[Any]], BaseException | None]
):
    run = backend._network.reconstruct_all

    def planted(images: list[Any]) -> Any:
        if problem := fails(images):
            raise problem
        return run(images)

    monkeypatch.setattr(backend._network, "reconstruct_all", planted)


def test_calls_share_one_run_and_each_gets_its_own_mesh(backend: TripoSRBackend, sizes: list[int]) -> None:
    together = _all(backend, (10, 80, 150, 220))
    assert sizes == [CALLS]
    backend._batcher._options = type(backend._batcher._options)(1, 0.0)
    for mesh, grey in zip(together, (10, 80, 150, 220), strict=True):
        alone = _mesh(backend, grey)
        assert abs(len(mesh.vertices) - len(alone.vertices)) <= 0.02 * len(alone.vertices)


def test_a_poisoned_picture_fails_alone(backend: TripoSRBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        backend,
        monkeypatch,
        lambda images: StageUnavailable("not finite") if any(float(i.max()) > 0.99 for i in images) else None,
    )
    found = _all(backend, (10, POISON, 150, 220))
    assert isinstance(found[1], StageUnavailable)
    assert all(len(mesh.faces) for k, mesh in enumerate(found) if k != 1)


def test_a_full_gpu_halves_the_batch_and_every_call_is_served(
    backend: TripoSRBackend, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    _plant(backend, monkeypatch, lambda images: torch.OutOfMemoryError("CUDA") if len(images) > 2 else None)
    assert all(len(mesh.faces) for mesh in _all(backend, (10, 80, 150, 220)))
    assert sizes == [2, 2]


def test_a_gpu_too_full_for_one_is_overload_for_all(backend: TripoSRBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(backend, monkeypatch, lambda _: torch.OutOfMemoryError("CUDA"))
    assert all(isinstance(found, Overloaded) for found in _all(backend, (10, 80, 150, 220)))


def test_a_caller_that_leaves_while_it_waits_is_not_computed(backend: TripoSRBackend, sizes: list[int]) -> None:
    left = threading.Event()

    def leave(step: str, share: float) -> None:
        if backend._batcher.waiting:  # its picture is in the line
            left.set()
            raise InterruptedError

    with ThreadPoolExecutor(1) as pool:
        gone = pool.submit(_mesh, backend, 10, leave)
        assert isinstance(gone.result(timeout=60), InterruptedError)
    assert left.is_set()
    _all(backend, (80, 150, 220, 60))
    assert sizes in ([3, 1], [4])  # what was cancelled may have taken its place in the line, but was not run
    assert sum(sizes) == 4


def test_surfaces_are_taken_while_the_network_runs_for_others(
    backend: TripoSRBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend._batcher._options = type(backend._batcher._options)(1, 0.0)
    extracting, released = threading.Event(), threading.Event()

    def hold(step: str, share: float) -> None:
        if step == "surface":
            extracting.set()
            assert released.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_mesh, backend, 80, hold)
        assert extracting.wait(60)
        assert len(_mesh(backend, 150).faces)  # comes through although the first one is still at its surface
        released.set()
        assert len(first.result(timeout=60).faces)
