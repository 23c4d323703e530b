"""The model store: nothing counts that has not been hashed."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from services.common.errors import StageUnavailable
from services.common.models.manifest import BY_NAME, MODELS, Model, ModelFile, UrlSource, Variant
from services.common.models.model_store import ModelStore

GOOD, OTHER = b"weights" * 100, b"the same network from elsewhere"


def _variant(content: bytes, kind: str = "sha256") -> Variant:
    return Variant(UrlSource("https://example.org/file"), kind, hashlib.new(kind, content).hexdigest(), len(content))


FILE = ModelFile("net.onnx", (_variant(GOOD, "md5"), _variant(OTHER)))
MODEL = Model("net", "segmentation", "MIT", True, "a network", (FILE,))


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "store", {"net": MODEL})


def _put(store: ModelStore, content: bytes) -> Path:
    with store.incoming(MODEL, FILE) as aside:
        aside.write_bytes(content)
    return store.path_of(MODEL, FILE)


def test_an_empty_store_finds_nothing_and_makes_no_folder(store):
    assert store.find("net") is None
    assert not store.folder.exists()


@pytest.mark.parametrize("content", [GOOD, OTHER], ids=["official", "other source"])
def test_a_file_of_any_known_hash_comes_in_and_is_found_by_its_sha256(store, content):
    path = _put(store, content)
    found = store.find("net")
    assert found is not None
    assert (found.path, found.sha256) == (path, hashlib.sha256(content).hexdigest())
    assert found.licence == "MIT"
    assert store.variant_here(MODEL, FILE) == FILE.variants[0 if content is GOOD else 1]


def test_a_wrong_hash_leaves_nothing(store):
    with pytest.raises(StageUnavailable, match="not a known one"):
        _put(store, b"something else")
    assert list(store.path_of(MODEL, FILE).parent.iterdir()) == []
    assert store.find("net") is None


def test_a_wrong_hash_leaves_the_good_file_that_was_there(store):
    _put(store, GOOD)
    with pytest.raises(StageUnavailable):
        _put(store, b"something else")
    assert store.find("net") is not None


def test_what_came_before_a_failure_is_kept_for_the_next_try(store):
    with pytest.raises(ConnectionError), store.incoming(MODEL, FILE) as aside:
        aside.write_bytes(GOOD[:50])
        raise ConnectionError
    with store.incoming(MODEL, FILE) as again:
        assert again.read_bytes() == GOOD[:50]
        with again.open("ab") as out:
            out.write(GOOD[50:])
    assert store.find("net") is not None


def test_an_exchanged_file_is_noticed_and_named_with_the_command_that_mends_it(store):
    path = _put(store, GOOD)
    assert store.find("net") is not None
    path.write_bytes(b"tampered" * 100)
    with pytest.raises(StageUnavailable, match="remove it and run `unflat models pull net`"):
        store.find("net")


def test_an_unchanged_file_is_not_hashed_again(store, monkeypatch):
    _put(store, GOOD)
    monkeypatch.setattr("services.common.models.model_store._digests", lambda path: pytest.fail("hashed again"))
    assert store.find("net") is not None


def test_a_touched_file_is_hashed_again_and_still_good(store):
    path = _put(store, GOOD)
    os.utime(path, ns=(1, 1))
    assert store.find("net") is not None


@pytest.mark.parametrize("record", ["", "{}", "[1]", '{"size": 1}'], ids=repr)
def test_a_record_that_is_none_is_as_good_as_no_record(store, record):
    path = _put(store, GOOD)
    path.with_name(f".{path.name}.hash.json").write_text(record)
    assert store.find("net") is not None


def test_forgetting_the_record_has_the_file_hashed_anew(store):
    path = _put(store, GOOD)
    stat = path.stat()
    path.write_bytes(GOOD[:-1] + b"X")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the record cannot tell
    assert store.is_good(MODEL, FILE)
    store.forget_record(MODEL, FILE)
    assert not store.is_good(MODEL, FILE)


def test_a_read_only_store_works_without_records(store, monkeypatch):
    path = _put(store, GOOD)
    store.forget_record(MODEL, FILE)

    def refuse(self: Path, *given: object, **rest: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    found = store.find("net")
    assert found is not None
    assert not path.with_name(f".{path.name}.hash.json").exists()


def test_a_file_from_elsewhere_is_copied_in_and_stays_where_it_was(store, tmp_path):
    source = tmp_path / "download.onnx"
    source.write_bytes(GOOD)
    store.take(MODEL, FILE, source)
    assert store.find("net") is not None
    assert source.read_bytes() == GOOD


def test_a_model_is_here_only_with_all_its_files(tmp_path):
    second = ModelFile("config.yaml", (_variant(OTHER),))
    model = Model("pair", "mesher", "MIT", True, "two files", (FILE, second))
    store = ModelStore(tmp_path, {"pair": model})
    with store.incoming(model, FILE) as aside:
        aside.write_bytes(GOOD)
    assert store.find("pair") is None
    with store.incoming(model, second) as aside:
        aside.write_bytes(OTHER)
    assert store.find("pair") is not None


# ── the manifest ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_are_unique_and_every_file_has_a_hash_of_its_kind():
    assert len(BY_NAME) == len(MODELS)
    lengths = {"sha256": 64, "md5": 32}
    for model in MODELS:
        for file in model.files:
            assert file.variants, file.name
            for variant in file.variants:
                assert len(variant.digest) == lengths[variant.hash_kind], file.name
                assert set(variant.digest) <= set("0123456789abcdef"), file.name


def test_what_a_first_run_fetches_may_be_used_commercially():
    chosen = [model for model in MODELS if model.light or model.default]
    assert {"isnet-general-use", "depth-anything-v2-vits"} <= {model.name for model in chosen}
    assert all(model.commercial for model in chosen), "an unasked download must not bind its user"
