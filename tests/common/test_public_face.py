"""The names of `unflat`, beside what stands behind them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import unflat
from services.common import client, errors, options


def test_the_face_is_the_clients_their_options_and_every_error():
    of_clients = {"AsyncClient", "Client", "CutoutResult", "MeshResult", "Progress"}
    of_options = {name for name in options.__all__ if name.endswith("Options")}
    of_errors = {error.__name__ for error in (errors.UnflatError, *errors.ALL)}
    assert set(unflat.__all__) == of_clients | of_options | of_errors
    assert unflat.__all__ == sorted(unflat.__all__)


def test_each_name_is_the_thing_itself():
    homes = (client, errors, options)
    for name in unflat.__all__:
        assert any(getattr(home, name, None) is getattr(unflat, name) for home in homes), name


def test_the_names_that_type_checkers_see_are_the_same():
    text = Path(unflat.__file__).read_text(encoding="utf-8")
    block = text[text.index("if TYPE_CHECKING:") : text.index("__all__")]
    assert [name for name in unflat.__all__ if name not in block] == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'UnflatClient'"):
        unflat.UnflatClient  # noqa: B018 - looking is the point


@pytest.mark.slow
def test_messages_alone_load_no_client():
    code = "import sys, unflat.v1.common_pb2; sys.exit('services.common.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
