"""Names of segmentation backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import InvalidOption, StageUnavailable
from services.common.models.model_store import StoredModel
from services.segmentation.backends.catalogue import BACKENDS, FAMILIES, NetworkResources

HERE = StoredModel(Path("/store/net.onnx"), "ab" * 32, "Apache-2.0")


NOTHING = NetworkResources()
EVERYTHING = NetworkResources(lambda name: HERE)


def test_auto_without_weights_is_grabcut():
    assert BACKENDS.open("auto", NOTHING).name == "grabcut"


def test_auto_with_weights_is_isnet_with_its_hash_and_licence():
    backend = BACKENDS.open("auto", EVERYTHING)
    assert (backend.name, backend.digest, backend.licence) == ("rembg:isnet-general-use", HERE.sha256, HERE.licence)


def test_auto_that_must_have_a_gpu_does_not_fall_back_to_grabcut():
    with pytest.raises(StageUnavailable, match="unflat models pull isnet-general-use"):
        BACKENDS.open("auto", NetworkResources(require_gpu=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_opened_by_name_or_says_how_to_get_it(family):
    assert BACKENDS.open(f"rembg:{family}", EVERYTHING).name == f"rembg:{family}"
    with pytest.raises(StageUnavailable, match=f"unflat models pull {family}"):
        BACKENDS.open(f"rembg:{family}", NOTHING)


@pytest.mark.parametrize(
    ("name", "near"),
    [("grabcutt", "grabcut"), ("rembg:isnet", "rembg:isnet-general-use"), ("rembg:u2nt", "rembg:u2net"), ("", "auto")],
)
def test_an_unknown_name_offers_near_ones(name, near):
    with pytest.raises(InvalidOption) as caught:
        BACKENDS.open(name, NOTHING)
    assert near in caught.value.message
    assert caught.value.field == "backend"


def test_a_file_of_ones_own_is_hashed_and_named(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"x")
    backend = BACKENDS.open(f"onnx:{path}?side=320&mean=0,0,0&std=1,1,1&sigmoid=yes", NOTHING)
    assert backend.name == f"onnx:{path}"
    assert len(backend.digest) == 64
    assert BACKENDS.open(f"rembg:custom={path}", NOTHING).name == f"rembg:custom={path}"


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
        ("sigmoid=maybe", "wanted yes, no"),
    ],
)
def test_a_wrong_option_is_named(query, said):
    with pytest.raises(InvalidOption, match=said):
        BACKENDS.open(f"onnx:/net.onnx?{query}", NOTHING)
