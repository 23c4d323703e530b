"""Which meshers there are. A new one is a row here."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from services.common.errors import InvalidOption
from services.mesher.backends.base import Backend
from services.mesher.backends.inflate import InflateBackend

BACKENDS: dict[str, Callable[[], Backend]] = {"inflate": InflateBackend}
AUTO = ("inflate",)  # best first; the first whose weights and libraries are here is taken


def open_backend(name: str) -> Backend:
    """Return the mesher called `name`, not yet loaded; "auto" is the best that can run here.

    Raises:
        InvalidOption: there is no such mesher.
    """
    wanted = AUTO[0] if name == "auto" else name
    if wanted not in BACKENDS:
        near = get_close_matches(wanted, [*BACKENDS, "auto"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidOption(f"mesher {name!r} is unknown; there are auto, {', '.join(BACKENDS)}{hint}", field="backend")
    return BACKENDS[wanted]()
