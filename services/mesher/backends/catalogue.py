"""Which meshers there are. A new one is a row here.

auto                     the first that can run here
triposr[?options]        TripoSR, where its weights are in the model store and torch is installed
inflate                  the embedded one, always there
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from services.common.errors import InvalidOption
from services.common.models.name_options import read_options
from services.mesher.backends.base import Backend
from services.mesher.backends.inflate import InflateBackend
from services.mesher.backends.triposr import is_triposr_here, open_triposr
from services.mesher.backends.weights import FindModel, no_models


@dataclass(frozen=True)
class Row:
    """A mesher: how it is opened with its options and threads, and whether its weights and libraries are here."""

    open: Callable[[dict[str, str], FindModel, int], Backend]
    is_here: Callable[[FindModel], bool]


def _open_inflate(options: dict[str, str], find_model: FindModel, threads: int) -> Backend:
    del find_model, threads
    if options:
        raise InvalidOption(f"inflate has no options; {next(iter(options))!r} was given", field="backend")
    return InflateBackend()


BACKENDS: dict[str, Row] = {
    "triposr": Row(open_triposr, is_triposr_here),
    "inflate": Row(_open_inflate, lambda _: True),
}
"""Best first: auto takes the first that is here."""


def open_backend(name: str, find_model: FindModel = no_models, threads: int = 0) -> Backend:
    """Return the mesher called `name`, not yet loaded; "auto" is the best that can run here.

    Args:
        name: see the head of this module.
        find_model: answers a name of the model store with its files; without it no weights are here.
        threads: CPU threads of one computation; 0 leaves the choice to the mesher.
    Raises:
        InvalidOption: there is no such mesher, or one of its options is wrong. Whether its weights and libraries are
            here shows when it loads.
    """
    head, _, query = name.partition("?")
    wanted = next(row for row, how in BACKENDS.items() if how.is_here(find_model)) if head == "auto" else head
    if wanted not in BACKENDS:
        near = get_close_matches(wanted, [*BACKENDS, "auto"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidOption(f"mesher {head!r} is unknown; there are auto, {', '.join(BACKENDS)}{hint}", field="backend")
    return BACKENDS[wanted].open(read_options(name, query), find_model, threads)
