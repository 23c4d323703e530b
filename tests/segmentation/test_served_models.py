"""Which model a request means, and what the service does with the others."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from structlog.testing import CapturingLogger

from services.common.errors import InvalidOption, ModelMissing, StageUnavailable
from services.segmentation import served_models as module
from services.segmentation.backends.model_pool import ModelPool
from services.segmentation.served_models import PoolMetrics, ServedModels, resolve_model

OWN = "rembg:isnet-general-use"


def _never() -> None:
    pass


class _Model:
    device, dtype, licence, notes, file_bytes = "cpu", "float32", "Apache-2.0", (), 10

    def __init__(self, name: str) -> None:
        self.name, self.digest = name, "cd" * 32

    def load(self) -> None:
        if self.name == "rembg:silueta":
            raise StageUnavailable("the file is broken")

    def close(self) -> None:
        pass


def _open(name: str) -> _Model:
    if name == "rembg:u2net":
        raise ModelMissing("the weights of u2net are not here; get them with `unflat models pull u2net`")
    return _Model(OWN if name == "auto" else name)


@pytest.fixture
def models():
    pool = ModelPool(_open, 25, "auto", PoolMetrics(), memory=lambda: 0)
    return ServedModels(lambda: _Model(OWN), pool, "auto")


@pytest.mark.parametrize("asked", ["", "auto", OWN, "isnet-general-use"])
def test_the_services_own_has_several_names(asked):
    assert resolve_model(asked, "auto", OWN) == "auto"


@pytest.mark.parametrize(("asked", "meant"), [("u2netp", "rembg:u2netp"), ("rembg:u2netp", "rembg:u2netp"),
                                              ("grabcut", "grabcut")])  # fmt: skip
def test_others_are_named_as_rembg_or_we_call_them(asked, meant):
    assert resolve_model(asked, "auto", OWN) == meant


@pytest.mark.parametrize("asked", ["onnx:/etc/passwd", "rembg:custom=/tmp/net.onnx", "../../x", "u2nett", "bria-rmbg"])
def test_no_file_of_the_machine_can_be_named(asked):
    with pytest.raises(InvalidOption) as caught:
        resolve_model(asked, "auto", OWN)
    assert caught.value.field == "model"


def test_a_file_that_the_service_was_started_for_may_be_named():
    assert resolve_model("onnx:/net.onnx", "onnx:/net.onnx?side=320", "onnx:/net.onnx") == "onnx:/net.onnx?side=320"


def test_a_named_model_answers(models):
    with models.use("u2netp", _never) as backend:
        assert backend.name == "rembg:u2netp"


def test_weights_that_are_not_here_are_said_with_the_command(models):
    with pytest.raises(ModelMissing, match="unflat models pull u2net"), models.use("u2net", _never):
        pass


def test_a_named_model_that_is_broken_does_not_look_like_a_broken_service(models):
    with pytest.raises(ModelMissing, match="the file is broken"), models.use("silueta", _never):
        pass


def test_one_model_alone_answers_under_its_names_and_no_other_does():
    alone = ServedModels.only(_Model("stub"))
    for asked in ("", "auto", "stub"):
        with alone.use(asked, _never) as backend:
            assert backend.name == "stub"
    with pytest.raises(ModelMissing, match="u2net does not run here, stub does"), alone.use("u2net", _never):
        pass


def test_metrics_tell_what_is_loaded(models):
    def size(name: str) -> float | None:
        return REGISTRY.get_sample_value("unflat_model_bytes", {"stage": "segmentation", "backend": name})

    for asked in ("", "u2netp"):
        with models.use(asked, _never):
            pass
    assert (size(OWN), size("rembg:u2netp")) == (10, 10)
    with models.use("birefnet-general", _never):
        pass
    assert (size(OWN), size("rembg:u2netp"), size("rembg:birefnet-general")) == (None, 10, 10)
    assert REGISTRY.get_sample_value("unflat_model_evictions_total", {"stage": "segmentation"}) >= 1


def test_what_was_asked_for_and_is_not_so_is_logged_when_the_model_is_loaded(monkeypatch):
    model = _Model("rembg:u2netp")
    model.notes = ("a GPU was asked for and openvino is used: none is here",)
    logger = CapturingLogger()  # one of its own: the process's is set up by whoever came before
    monkeypatch.setattr(module, "_log", logger)
    PoolMetrics().loaded(model, 10, 0.5)
    assert [call.kwargs["reason"] for call in logger.calls if call.method_name == "warning"] == list(model.notes)
