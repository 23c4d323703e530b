"""How a name becomes a backend."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from services.common.backends.backend_catalogue import Catalogue, Resources, Row
from services.common.errors import InvalidOption, ModelMissing, StageUnavailable
from services.common.models.model_store import StoredModel

HERE = StoredModel(Path("/store/net.pth"), "ab" * 32, "MIT")


def _open(spec, resources):
    return SimpleNamespace(name=spec.head, options=spec.options)


BACKENDS = Catalogue(
    "toy",
    (
        Row("big", _open, "big-weights", libraries=("torch_that_is_not_here",), install="torch"),
        Row("small:a", _open, "a-weights"),
        Row("onnx:", _open),
        Row("plain", _open, refuse=lambda resources: "it has one thread" if resources.threads == 1 else ""),
    ),
    auto=("big", "small:a", "plain"),
)


def test_auto_takes_the_first_that_can_run_and_says_why_not_another():
    said: list[str] = []
    backend = BACKENDS.open("auto?x=1", Resources(), said.append)
    assert (backend.name, backend.options) == ("plain", {"x": "1"})
    assert said == [
        "auto takes plain: big cannot run here, torch_that_is_not_here is needed; `pip install torch` brings it",
        "auto takes plain: small:a cannot run here, the weights of a-weights are not here; "
        "get them with `unflat models pull a-weights`",
    ]
    assert BACKENDS.open("auto", Resources(lambda _: HERE)).name == "small:a"


def test_auto_that_finds_nothing_says_why_of_each():
    with pytest.raises(
        StageUnavailable,
        match=r"no toy backend can run here: torch_.*; the weights of a-weights .*; it has one",
    ):
        BACKENDS.open("auto", Resources(threads=1))


def test_a_row_that_takes_a_path_wants_one():
    assert BACKENDS.open("onnx:/a/b.onnx?x=1", Resources()).name == "onnx:/a/b.onnx"
    with pytest.raises(InvalidOption, match="onnx:/path/model"):
        BACKENDS.open("onnx:", Resources())


@pytest.mark.parametrize(("name", "near"), [("smal", "small:a"), ("plan", "plain"), ("zzz", "auto, big"), ("", "auto")])
def test_an_unknown_name_offers_near_ones(name, near):
    with pytest.raises(InvalidOption, match="there is no toy backend") as caught:
        BACKENDS.find(name, Resources())
    assert near in caught.value.message


def test_weights_that_are_missing_are_said_with_the_command():
    assert Resources(lambda _: HERE).weights("net") is HERE
    with pytest.raises(ModelMissing, match="unflat models pull net"):
        Resources().weights("net")
