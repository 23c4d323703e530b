"""bfloat16 is taken where it is faster and changes nothing that can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from services.segmentation.backends import onnx_network
from services.segmentation.backends.onnx_engines import Dtype
from services.segmentation.backends.onnx_network import NetworkInput, OnnxNetwork
from services.segmentation.backends.precision_trial import PrecisionChoice, choose_precision, load_choice, store_choice

MASK = np.linspace(0, 0.5, 100, dtype=np.float32).reshape(10, 10)
WANTS = NetworkInput(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_faster_and_the_same_is_taken():
    assert choose_precision(MASK, MASK + np.float32(1e-4), 2.0, 1.0).dtype == "bfloat16"


def test_single_pixels_may_move_only_where_that_was_asked_for():
    half = MASK.copy()
    half[5, 5] += 0.01
    strict = choose_precision(MASK, half, 2.0, 1.0)
    assert (strict.dtype, strict.warns) == ("float32", False)
    assert "--precision bfloat16 would take that for 50% of the time" in strict.why
    assert choose_precision(MASK, half, 2.0, 1.0, by_mean=True).dtype == "bfloat16"


@pytest.mark.parametrize("half", [MASK + np.float32(0.003), np.full_like(MASK, np.nan), 1 - MASK])
def test_a_mask_that_moves_is_refused_however_fast_and_said_so(half):
    choice = choose_precision(MASK, half, 2.0, 0.1)
    assert choice.dtype == "float32"
    assert choice.warns
    assert "moves the mask" in choice.why


def test_a_processor_that_only_imitates_it_stays_with_float32_in_silence():
    choice = choose_precision(MASK, MASK, 1.0, 0.9)
    assert (choice.dtype, choice.warns) == ("float32", False)


def test_a_choice_is_kept_for_the_same_situation_alone(tmp_path):
    record, choice = tmp_path / "precision.json", PrecisionChoice("bfloat16", "it is faster")
    assert load_choice(record, "here") is None
    store_choice(record, "here", choice)
    assert load_choice(record, "here") == choice
    assert load_choice(record, "on another processor") is None
    record.write_text("{broken")
    assert load_choice(record, "here") is None


def test_without_a_place_or_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    store_choice(None, "here", PrecisionChoice("float32", ""))
    store_choice(tmp_path / "gone" / "precision.json", "here", PrecisionChoice("float32", ""))
    assert load_choice(None, "here") is None


class Engine:
    """OpenVINO whose bfloat16 is off by `error`, and which counts how often it was opened."""

    device, side_px, has_free_batch, notes = "openvino", None, False, ()
    opened: ClassVar[list[Dtype]] = []
    error = 0.0

    def __init__(self, dtype: Dtype) -> None:
        self.dtype = dtype
        self.opened.append(dtype)

    def run(self, photos: np.ndarray) -> np.ndarray:
        return photos[:, :1] + np.float32(self.error * (self.dtype == "bfloat16"))


@pytest.fixture
def processor(monkeypatch, tmp_path):
    """Return a function: name and error of a processor → a network on it, and what it was opened as."""
    path = tmp_path / "net.onnx"
    path.write_bytes(b"x")
    clocked = lambda a, b, *_, by_mean: choose_precision(a, b, 2.0, 1.0, by_mean=by_mean)  # noqa: E731 - its own clock
    monkeypatch.setattr(onnx_network, "choose_precision", clocked)

    def build(name: str, error: float = 0.0, **options: object) -> tuple[OnnxNetwork, list[Dtype]]:
        kind = type("On", (Engine,), {"error": error, "opened": []})
        monkeypatch.setattr(onnx_network, "open_engine", lambda path, provider, threads, dtype: kind(dtype))
        monkeypatch.setattr(onnx_network, "bfloat16_processor", lambda: name)
        return OnnxNetwork("net", path, WANTS, digest="ab", **options), kind.opened

    return build


def test_what_it_computes_in_stands_in_the_receipt(processor):
    network, opened = processor("modern")
    network.load()
    assert (network.dtype, network.notes, opened) == ("bfloat16", (), ["float32", "bfloat16"])


def test_a_difference_that_can_be_seen_falls_back_and_says_so(processor):
    network, _ = processor("modern", error=0.1)
    network.load()
    assert network.dtype == "float32"
    assert "net computes in float32: bfloat16 moves the mask" in network.notes[0]


def test_a_processor_without_it_is_not_tried(processor):
    network, opened = processor("")
    network.load()
    assert (network.dtype, opened) == ("float32", ["float32"])


def test_float32_can_be_forced(processor):
    network, opened = processor("modern", precision="float32")
    network.load()
    assert (network.dtype, opened) == ("float32", ["float32"])


def test_the_second_start_does_not_try_again(processor, tmp_path):
    record = Path(tmp_path / "precision.json")
    processor("modern", record=record)[0].load()
    network, opened = processor("modern", record=record)
    network.load()
    assert (network.dtype, opened) == ("bfloat16", ["bfloat16"])


def test_a_fall_back_is_said_at_every_start(processor, tmp_path):
    record = Path(tmp_path / "precision.json")
    processor("modern", error=0.1, record=record)[0].load()
    network, opened = processor("modern", error=0.1, record=record)
    network.load()
    assert opened == ["float32"]
    assert network.notes
