"""How a name becomes a backend, the same in every stage: a row a backend, and an order for `auto`.

Adding a backend is one file with a class and an opener, and one row in the stage's own `catalogue.py`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, TypeVar

from services.common.backends.backend_info import BackendInfo
from services.common.backends.backend_spec import BackendSpec
from services.common.backends.batching import BatchOptions
from services.common.errors import InvalidOption, ModelMissing, StageUnavailable
from services.common.models.model_store import FindModel, StoredModel, find_nothing

B_co = TypeVar("B_co", bound=BackendInfo, covariant=True)
R_contra = TypeVar("R_contra", bound="Resources", contravariant=True)


@dataclass(frozen=True)
class Resources:
    """What a backend is opened with, beside its own options.

    Attributes:
        find_model: answers a name of the model store; by default no weights are here.
        threads: of one computation on the CPU; 0 leaves the choice to the engine.
        batching: how concurrent calls share a run of a network; None runs them one by one.
    """

    find_model: FindModel = find_nothing
    threads: int = 0
    batching: BatchOptions | None = None

    def weights(self, name: str) -> StoredModel:
        """Return a model of the store.

        Raises:
            ModelMissing: it is not here.
        """
        model = self.find_model(name)
        if model is None:
            raise ModelMissing(_missing(name))
        return model


@dataclass(frozen=True)
class Row(Generic[R_contra, B_co]):
    """One backend.

    Attributes:
        name: what it is called. One that ends in `:` or `=` is followed by a path: `onnx:` is `onnx:/path/model.onnx`.
        open: reads its options and returns it, not yet loaded; raises where an option is wrong or weights are missing.
        weights: its name in the model store (which states the licence); empty for what needs none, or a file.
        libraries: at least one of them runs it; none for what runs anyway.
        install: what brings one of `libraries`.
        refuse: says what else keeps it from running here, or nothing.
        batches: whether several calls at a time use a GPU better.
    """

    name: str
    open: Callable[[BackendSpec, R_contra], B_co]
    weights: str = ""
    libraries: tuple[str, ...] = ()
    install: str = ""
    refuse: Callable[[R_contra], str] = lambda _: ""
    batches: bool = False

    def why_not(self, resources: R_contra) -> str:
        """Return why it cannot run here, or an empty string."""
        if self.libraries and not any(importlib.util.find_spec(library) for library in self.libraries):
            return f"{' or '.join(self.libraries)} is needed; `pip install {self.install}` brings it"
        if self.weights and resources.find_model(self.weights) is None:
            return _missing(self.weights)
        return self.refuse(resources)

    @property
    def takes_path(self) -> bool:
        """Whether a path follows its name."""
        return self.name.endswith((":", "="))


class Catalogue(Generic[R_contra, B_co]):
    """The backends of a stage.

    Args:
        stage: for error sentences.
        rows: all of them.
        auto: names of those that `auto` may take, the best first.
    """

    def __init__(self, stage: str, rows: tuple[Row[R_contra, B_co], ...], auto: tuple[str, ...]) -> None:
        self.rows = {row.name: row for row in rows}
        self._stage = stage
        self._auto = auto

    def open(self, name: str, resources: R_contra, say: Callable[[str], None] = lambda _: None) -> B_co:
        """Return the backend that `name` means, not yet loaded.

        Args:
            name: `auto`, or a row's name with its path and options.
            resources: what it is opened with.
            say: told which backends `auto` passed over, and why.
        Raises:
            InvalidOption: no backend has this name, or one of its options is wrong.
            StageUnavailable: its weights are missing, or `auto` finds none that can run here.
        """
        spec = BackendSpec.parse(name)
        row = self.find(name, resources, say)
        return row.open(spec.with_head(row.name) if spec.head == "auto" else spec, resources)

    def find(self, name: str, resources: R_contra, say: Callable[[str], None] = lambda _: None) -> Row[R_contra, B_co]:
        """Return the row that `name` means; see `open`."""
        head = BackendSpec.parse(name).head
        if head == "auto":
            return self._choose(resources, say)
        if head in self.rows and not self.rows[head].takes_path:
            return self.rows[head]
        for row in self.rows.values():
            if row.takes_path and head.startswith(row.name) and head != row.name:
                return row
        known = ["auto", *(f"{row.name}/path/model.onnx" if row.takes_path else row.name for row in self.rows.values())]
        begun = [full for full in known if head and full.startswith(head)]  # an abbreviation is not close by letters
        near = list(dict.fromkeys([*begun, *get_close_matches(head, known, n=3, cutoff=0.5)])) or known
        raise InvalidOption(
            f"there is no {self._stage} backend {name!r}; near names: {', '.join(near)}", field="backend"
        )

    def _choose(self, resources: R_contra, say: Callable[[str], None]) -> Row[R_contra, B_co]:
        reasons: dict[str, str] = {}
        for name in self._auto:
            reason = self.rows[name].why_not(resources)
            if not reason:
                for other, why in reasons.items():
                    say(f"auto takes {name}: {other} cannot run here, {why}")
                return self.rows[name]
            reasons[name] = reason
        raise StageUnavailable(f"no {self._stage} backend can run here: {'; '.join(reasons.values())}")


def _missing(name: str) -> str:
    return f"the weights of {name} are not here; get them with `unflat models pull {name}`"
