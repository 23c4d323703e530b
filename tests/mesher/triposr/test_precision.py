"""Which precision is taken where nobody said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needed_module

needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.common.backends.backend_catalogue import Resources  # noqa: E402
from services.common.models.model_store import StoredModel  # noqa: E402
from services.mesher.backends.catalogue import BACKENDS  # noqa: E402
from services.mesher.triposr import precision  # noqa: E402
from services.mesher.triposr.precision import choose_precision, judge, measure, probe  # noqa: E402


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_folder, tmp_path / "copy", ignore=shutil.ignore_patterns(".*")))


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)


@pytest.mark.parametrize(
    ("code", "sides", "dtype"),
    [
        (0.005, 0.001, "bfloat16"),
        (0.05, 0.001, "float32"),
        (0.005, 0.01, "float32"),
        (float("nan"), 0.0, "float32"),
    ],
)
def test_bfloat16_is_taken_only_where_both_errors_are_small(code: float, sides: float, dtype: str) -> None:
    choice = judge(code, sides)
    assert choice.dtype == dtype
    assert "scene code" in choice.why


def test_a_processor_without_bfloat16_is_not_asked_to_imitate_it(folder, monkeypatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)
    monkeypatch.setattr(precision, "measure", lambda *_: pytest.fail("it was measured"))
    assert choose_precision(folder, "cpu", "").dtype == "float32"


def test_error_of_the_toy_is_measured_and_small(folder) -> None:
    code, sides = measure(folder, "cpu")
    assert 0 < code < 0.03
    assert 0 <= sides < 0.05


def test_what_was_measured_decides_and_is_remembered_for_this_file(folder, able, monkeypatch) -> None:
    answers = iter([(0.001, 0.0), (0.5, 0.5)])
    monkeypatch.setattr(precision, "measure", lambda *_: next(answers))
    first = choose_precision(folder, "cpu", "one")
    assert (first.dtype, choose_precision(folder, "cpu", "one")) == ("bfloat16", first)
    assert choose_precision(folder, "cpu", "another").dtype == "float32"


def test_a_torn_record_is_measured_anew(folder, able, monkeypatch) -> None:
    (folder / precision.RECORD).write_text("{")
    monkeypatch.setattr(precision, "measure", lambda *_: (0.001, 0.0))
    assert choose_precision(folder, "cpu", "").dtype == "bfloat16"


@pytest.mark.parametrize(("error", "dtype"), [(0.001, "bfloat16"), (0.5, "float32")])
def test_backend_runs_and_reports_what_was_chosen(folder, able, monkeypatch, error, dtype) -> None:
    monkeypatch.setattr(precision, "measure", lambda *_: (error, 0.0))
    backend = BACKENDS.open(
        "triposr?device=cpu", Resources(lambda _: StoredModel(folder / "model.ckpt", "ab" * 32, "MIT"))
    )
    backend.load()
    assert backend.dtype == dtype
    weights, why = backend.notes
    assert weights.startswith(f"TripoSR in {dtype}, ")
    assert "MB of weights" in weights
    assert f"{error:.2%}" in why


def test_a_named_precision_is_taken_without_a_trial(folder, able, monkeypatch) -> None:
    monkeypatch.setattr(precision, "measure", lambda *_: pytest.fail("it was measured"))
    backend = BACKENDS.open(
        "triposr?dtype=bfloat16", Resources(lambda _: StoredModel(folder / "model.ckpt", "", "MIT"))
    )
    backend.load()
    assert backend.dtype == "bfloat16"


def test_probe_shows_a_body_on_nothing() -> None:
    rgba = probe(64)
    share = np.mean(rgba[..., 3] > 0)
    assert 0.2 < share < 0.8
    assert np.ptp(rgba[rgba[..., 3] > 0][:, 0]) > 60
