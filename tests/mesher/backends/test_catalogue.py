"""Names of meshers."""

from __future__ import annotations

import pytest

from services.common.backends.backend_catalogue import Resources
from services.common.errors import InvalidOption
from services.mesher.backends.catalogue import BACKENDS


def test_the_embedded_mesher_opens_under_its_name():
    assert BACKENDS.open("inflate", Resources()).name == "inflate"


def test_an_unknown_name_offers_the_near_one():
    with pytest.raises(InvalidOption, match="inflate") as caught:
        BACKENDS.open("inflat", Resources())
    assert caught.value.field == "backend"
