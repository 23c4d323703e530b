"""What every backend of every stage tells of itself."""

from __future__ import annotations

from typing import Protocol


class BackendInfo(Protocol):
    """What a receipt says of a backend; final once it is loaded."""

    @property
    def name(self) -> str:
        """E.g. rembg:isnet-general-use."""

    @property
    def device(self) -> str:
        """What it really runs on."""

    @property
    def dtype(self) -> str:
        """What it computes in."""

    @property
    def digest(self) -> str:
        """sha256 of the weights, or empty."""

    @property
    def licence(self) -> str:
        """Licence of the weights, or empty."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else a receipt should say of it, a phrase each: above all what was asked for and is not so."""
