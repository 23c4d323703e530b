"""A model that loads, and one that does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from services.common.errors import StageUnavailable
from services.common.serving.model_holder import ModelHolder

BACKEND = SimpleNamespace(name="test", device="cpu", dtype="float32", digest="", licence="MIT", notes=())


def _loaded(load):
    holder, heard = ModelHolder("tested", load), []
    holder.start(heard.append).join(20)
    return holder, heard


def test_a_warm_backend_is_handed_out():
    holder, heard = _loaded(lambda: BACKEND)
    assert heard == [True]
    assert holder.get() is BACKEND
    assert (holder.reason, holder.loading) == ("", False)


def test_before_it_is_warm_calls_are_refused_with_that_reason():
    holder = ModelHolder("tested", lambda: BACKEND)
    assert holder.loading
    with pytest.raises(StageUnavailable, match="still loading"):
        holder.get()


def _raise(problem: Exception):
    def load():
        raise problem

    return load


def test_the_sentence_of_a_failed_load_is_what_callers_read():
    holder, heard = _loaded(_raise(StageUnavailable("no weights here; `unflat models pull it`")))
    assert heard == [False]
    with pytest.raises(StageUnavailable, match="unflat models pull it"):
        holder.get()
    assert not holder.loading


def test_a_defect_while_loading_is_named_by_its_class_only():
    holder, heard = _loaded(_raise(MemoryError("at 0x7f3 in /home/someone")))
    assert heard == [False]
    assert "MemoryError" in holder.reason
    assert "/home" not in holder.reason
