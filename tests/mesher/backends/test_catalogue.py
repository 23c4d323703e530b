"""Names of meshers."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidOption
from services.mesher.backends.catalogue import open_backend


def test_the_embedded_mesher_opens_under_its_name():
    assert open_backend("inflate").name == "inflate"


def test_an_unknown_name_offers_the_near_one():
    with pytest.raises(InvalidOption, match="inflate") as caught:
        open_backend("inflat")
    assert caught.value.field == "backend"
