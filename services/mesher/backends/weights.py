"""Weights as a mesher gets to know them: where they lie, their hash, and what they may be used for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StoredWeights:
    """The files of one model.

    Attributes:
        folder: holds the files under their published names.
        sha256: of the largest file, the weights themselves.
        licence: of the weights.
    """

    folder: Path
    sha256: str
    licence: str


FindModel = Callable[[str], StoredWeights | None]
"""Answers a name of the model store, or None where the model is not here whole."""


def no_models(name: str) -> StoredWeights | None:
    """Answer as an empty store would."""
    del name
    return None
