"""Memory that runs out: one smaller try, then a clear error, and the next photo is served."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from services.common.backends.onnx_session import OnnxSession
from services.common.errors import StageUnavailable
from services.depth.backends.onnx import OnnxBackend, OnnxOptions
from services.depth.backends.retry_smaller import smaller
from services.depth.depth_anything_v2.preprocess import NetworkSize

CUDA = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. "
    "Status Message: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 9439232"
)


class _Session:
    """Has memory for so many pixels."""

    def __init__(self, pixels: int, says: str = CUDA) -> None:
        self.pixels = pixels
        self.seen: list[tuple[int, int]] = []
        self._says = says

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="picture", type="tensor(float)", shape=[1, 3, "h", "w"])]

    get_outputs = get_inputs

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider"]

    def run(self, _names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        height, width = feed["picture"].shape[2:]
        self.seen.append((width, height))
        if width * height > self.pixels:
            raise RuntimeError(self._says)
        return [feed["picture"].mean(axis=1)]


def _backend(session: _Session, fixed: NetworkSize | None = None) -> OnnxBackend:
    backend = OnnxBackend(Path("network.onnx"), OnnxOptions(size=140), threads=1)
    backend._session, backend._fixed, backend.device = OnnxSession(session), fixed, "cuda"
    return backend


def _rgb() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def test_one_smaller_try_brings_the_map_and_is_said() -> None:
    session = _Session(pixels=140 * 140)
    backend = _backend(session)
    assert backend.estimate(_rgb()).shape == (60, 90)
    assert session.seen == [(210, 140), (126, 84)]
    assert "126 × 84" in backend.size_notes(90, 60)[0]


def test_there_is_no_third_try_and_the_error_says_what_to_do() -> None:
    session = _Session(pixels=1)
    with pytest.raises(StageUnavailable, match="cuda has too little memory"):
        _backend(session).estimate(_rgb())
    assert len(session.seen) == 2


def test_after_it_the_next_photo_is_served_at_full_size_again() -> None:
    session = _Session(pixels=1)
    backend = _backend(session)
    with pytest.raises(StageUnavailable):
        backend.estimate(_rgb())
    session.pixels = 10**9
    backend.estimate(_rgb())
    assert session.seen[-1] == (210, 140)
    assert backend.size_notes(90, 60) == ()


def test_a_file_of_one_size_has_no_smaller_try() -> None:
    session = _Session(pixels=1)
    with pytest.raises(StageUnavailable, match="too little memory"):
        _backend(session, NetworkSize(84, 84)).estimate(_rgb())
    assert session.seen == [(84, 84)]


def test_another_failure_is_not_tried_again() -> None:
    session = _Session(pixels=1, says="the node Conv_7 is not there")
    with pytest.raises(StageUnavailable, match="Conv_7"):
        _backend(session).estimate(_rgb())
    assert len(session.seen) == 1


def test_the_smallest_size_is_one_patch() -> None:
    assert smaller(NetworkSize(14, 518)) == NetworkSize(14, 308, bounded=True)
