"""Names of segmentation backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.model_store import StoredModel
from services.segmentation.backends.catalogue import FAMILIES, open_backend

HERE = StoredModel(Path("/store/net.onnx"), "ab" * 32, "Apache-2.0")


def _nothing(name: str) -> None:
    return None


def test_auto_without_weights_is_grabcut():
    assert open_backend("auto", _nothing).name == "grabcut"


def test_auto_with_weights_is_isnet_with_its_hash_and_licence():
    backend = open_backend("auto", lambda name: HERE)
    assert (backend.name, backend.digest, backend.licence) == ("rembg:isnet-general-use", HERE.sha256, HERE.licence)


def test_auto_that_must_have_a_gpu_does_not_fall_back_to_grabcut():
    with pytest.raises(StageUnavailable, match="unflat models pull isnet-general-use"):
        open_backend("auto", _nothing, require_gpu=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_opened_by_name_or_says_how_to_get_it(family):
    assert open_backend(f"rembg:{family}", lambda name: HERE).name == f"rembg:{family}"
    with pytest.raises(StageUnavailable, match=f"unflat models pull {family}"):
        open_backend(f"rembg:{family}", _nothing)


@pytest.mark.parametrize(
    ("name", "near"),
    [("grabcutt", "grabcut"), ("rembg:isnet", "rembg:isnet-general-use"), ("rembg:u2nt", "rembg:u2net"), ("", "auto")],
)
def test_an_unknown_name_offers_near_ones(name, near):
    with pytest.raises(InvalidOption) as caught:
        open_backend(name, _nothing)
    assert near in caught.value.message
    assert caught.value.field == "backend"


def test_a_file_of_ones_own_is_hashed_and_named(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x")
    backend = open_backend(f"onnx:{path}?side=320&mean=0,0,0&std=1,1,1&sigmoid=yes", _nothing)
    assert backend.name == f"onnx:{path}"
    assert len(backend.digest) == 64
    assert open_backend(f"rembg:custom={path}", _nothing).name == f"rembg:custom={path}"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("size=320", "no option .size."),
        ("side=big", "side is 'big'"),
        ("side=²", "side is '²'"),
        ("side=8", "wanted 16 to 4096"),
        ("mean=1,2", "wanted three numbers"),
        ("mean=1,2,nan", "wanted finite numbers"),
        ("std=1,0,1", "wanted values above 0"),
        ("sigmoid=maybe", "wanted yes or no"),
    ],
)
def test_a_wrong_option_is_named(query, said):
    with pytest.raises(InvalidOption, match=said):
        open_backend(f"onnx:/net.onnx?{query}", _nothing)
