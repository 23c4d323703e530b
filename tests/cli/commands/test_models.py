"""`unflat models` over a store of the test's own."""

from __future__ import annotations

import hashlib

import pytest

from services.common.models.manifest import MODELS, Model, ModelFile, UrlSource, Variant

CONTENT = b"weights"
VARIANT = Variant(UrlSource("http://127.0.0.1:1/net.onnx"), "sha256", hashlib.sha256(CONTENT).hexdigest(), 7)
MODEL = Model("net", "segmentation", "MIT", True, "a network", (ModelFile("net.onnx", (VARIANT,)),), light=True)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("UNFLAT_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "store"


@pytest.fixture
def one_model(monkeypatch):
    monkeypatch.setattr("services.cli.commands.models.MODELS", (MODEL,))
    monkeypatch.setattr("services.common.models.model_store.BY_NAME", {"net": MODEL})


def _put(store, content: bytes) -> None:
    (store / "net").mkdir(parents=True)
    (store / "net" / "net.onnx").write_bytes(content)


def test_list_names_every_model_with_its_licence(unflat):
    ended = unflat("models", "list")
    assert ended.code == 0
    for model in MODELS:
        assert model.name in ended.out
        assert model.licence.split()[0] in ended.out


def test_verify_passes_a_good_file_and_names_a_wrong_one(unflat, store, one_model):
    _put(store, CONTENT)
    ended = unflat("models", "verify")
    assert (ended.code, ended.out.strip()) == (0, "net/net.onnx: good")
    (store / "net" / "net.onnx").write_bytes(b"WEIGHTS")
    ended = unflat("models", "verify")
    assert (ended.code, ended.out.strip()) == (1, "net/net.onnx: wrong hash")


def test_import_takes_known_files_and_list_says_that_they_are_here(unflat, store, one_model, tmp_path):
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "net.onnx").write_bytes(CONTENT)
    assert unflat("models", "import", tmp_path / "usb").code == 0
    assert (store / "net" / "net.onnx").read_bytes() == CONTENT
    assert "yes" in unflat("models", "list").out


def test_import_of_nothing_known_is_exit_1(unflat, one_model, tmp_path):
    ended = unflat("models", "import", tmp_path)
    assert ended.code == 1
    assert "none of the known files" in ended.err


@pytest.mark.parametrize("command", ["pull", "verify", "import"])
def test_an_unknown_model_is_wrong_usage_with_the_known_ones(unflat, one_model, tmp_path, command):
    ended = unflat("models", command, *([tmp_path] if command == "import" else []), "nett")
    assert ended.code == 2
    assert "unknown model nett; there are net" in ended.err


def test_pull_of_what_cannot_be_had_is_exit_1_or_0_where_it_is_optional(unflat, one_model):
    ended = unflat("models", "pull", "--light", "--wait", "5")
    assert ended.code == 1
    assert "not to be had" in ended.out
    assert unflat("models", "pull", "--light", "--wait", "5", "--optional").code == 0


def test_pull_of_what_is_here_asks_nobody(unflat, store, one_model):
    _put(store, CONTENT)
    ended = unflat("models", "pull", "net")
    assert (ended.code, ended.out.strip()) == (0, "net: already here")


@pytest.mark.slow
def test_pull_converts_what_is_here_once_and_in_bfloat16_on_request(unflat, store, one_model, monkeypatch, tmp_path):
    script = "import sys, pathlib; pathlib.Path(sys.argv[1], sys.argv[2]).touch(); print('made', sys.argv[2])"
    (tmp_path / "convert_a_net.py").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("services.cli.commands.models._CONVERTERS", {"net": "convert_a_net"})
    monkeypatch.setattr("services.cli.commands.models._CONVERTED", {"float32": "float32", "bfloat16": "bfloat16"})
    monkeypatch.setattr("services.cli.commands.models.find_spec", lambda name: name)
    _put(store, CONTENT)
    assert "made float32" in unflat("models", "pull", "net").out
    assert "made" not in unflat("models", "pull", "net").out
    assert "made bfloat16" in unflat("models", "pull", "net", "--bf16").out


@pytest.mark.slow
def test_pull_says_why_it_did_not_convert(unflat, store, one_model, monkeypatch):
    monkeypatch.setattr("services.cli.commands.models._CONVERTERS", {"net": "services.no_such_module"})
    _put(store, CONTENT)
    monkeypatch.setattr("services.cli.commands.models.find_spec", lambda name: None)
    ended = unflat("models", "pull", "net")
    assert ended.code == 0 and "needs torch" in ended.out
    monkeypatch.setattr("services.cli.commands.models.find_spec", lambda name: name)
    assert "not converted" in unflat("models", "pull", "net").out


def test_pull_of_nothing_is_wrong_usage(unflat, one_model):
    ended = unflat("models", "pull")
    assert ended.code == 2
    assert "--light or --all" in ended.err


@pytest.mark.slow
def test_verify_covers_what_was_converted(unflat, store, one_model, monkeypatch, tmp_path):
    script = "import sys, pathlib; pathlib.Path(sys.argv[1], 'made').write_bytes(b'converted'); print('made')"
    (tmp_path / "convert_a_net.py").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("services.cli.commands.models._CONVERTERS", {"net": "convert_a_net"})
    monkeypatch.setattr("services.cli.commands.models._CONVERTED", {"float32": "made"})
    monkeypatch.setattr("services.cli.commands.models.find_spec", lambda name: name)
    _put(store, CONTENT)
    unflat("models", "pull", "net")
    ended = unflat("models", "verify")
    assert ended.code == 0
    assert "net/made: as it was converted" in ended.out
    (store / "net" / "made").write_bytes(b"CONVERTED")
    ended = unflat("models", "verify")
    assert ended.code == 1
    assert "net/made: not what was converted" in ended.out
    (store / "net" / ".made.hash.json").unlink()
    ended = unflat("models", "verify")
    assert ended.code == 1
    assert "no hash was noted" in ended.out
