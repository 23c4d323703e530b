"""Which meshers there are. A new one is a row here.

auto                     the first that can run here
triposr[?options]        TripoSR, where its weights are in the model store and torch is installed
inflate                  the embedded one, always there
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from services.common.backends.backend_spec import read_options
from services.common.errors import InvalidOption
from services.mesher.backends.base import Backend, ObserveBatch
from services.mesher.backends.inflate import InflateBackend
from services.mesher.backends.triposr import is_triposr_here, open_triposr
from services.mesher.backends.weights import FindModel, no_models


@dataclass(frozen=True)
class Row:
    """A mesher.

    Attributes:
        open: with its options, the model store, threads, and who is told the size of each batch.
        is_here: whether its weights and libraries are here.
        batches: whether a GPU is used better by several calls at a time.
    """

    open: Callable[[dict[str, str], FindModel, int, ObserveBatch], Backend]
    is_here: Callable[[FindModel], bool]
    batches: bool = False


def _open_inflate(options: dict[str, str], find_model: FindModel, threads: int, observe: ObserveBatch) -> Backend:
    del find_model, threads, observe
    if options:
        raise InvalidOption(f"inflate has no options; {next(iter(options))!r} was given", field="backend")
    return InflateBackend()


BACKENDS: dict[str, Row] = {
    "triposr": Row(open_triposr, is_triposr_here, batches=True),
    "inflate": Row(_open_inflate, lambda _: True),
}
"""Best first: auto takes the first that is here."""


def open_backend(
    name: str, find_model: FindModel = no_models, threads: int = 0, observe: ObserveBatch = lambda _: None
) -> Backend:
    """Return the mesher called `name`, not yet loaded; "auto" is the best that can run here.

    Args:
        name: see the head of this module.
        find_model: answers a name of the model store with its files; without it no weights are here.
        threads: CPU threads of one computation; 0 leaves the choice to the mesher.
        observe: called with the size of each batch that went through a network, for a metric.
    Raises:
        InvalidOption: there is no such mesher, or one of its options is wrong. Whether its weights and libraries are
            here shows when it loads.
    """
    wanted, _, query = name.partition("?")
    return find_row(name, find_model).open(read_options(wanted, query), find_model, threads, observe)


def find_row(name: str, find_model: FindModel = no_models) -> Row:
    """Return the row of the mesher called `name`, or of the best that can run here.

    Raises:
        InvalidOption: there is no such mesher.
    """
    head = name.partition("?")[0]
    if head == "auto":
        return next(row for row in BACKENDS.values() if row.is_here(find_model))
    if head not in BACKENDS:
        near = get_close_matches(head, [*BACKENDS, "auto"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidOption(f"mesher {head!r} is unknown; there are auto, {', '.join(BACKENDS)}{hint}", field="backend")
    return BACKENDS[head]
