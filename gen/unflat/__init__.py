"""The public face of unflat: the clients, their options and their errors.

    from unflat import Client, MaskOptions

    with Client("127.0.0.1:50050") as client:
        mesh = client.generate_mesh(photo, mask=MaskOptions(preset="quality"))

Beside it lies `unflat.v1`, generated from protos/ (`make protos`). Names are loaded when they are asked for, because
the modules that they come from import the generated code themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.common.client import AsyncClient, Client, CutoutResult, MeshResult, Progress
    from services.common.errors import (
        DeadlineExceeded,
        ImageTooLarge,
        Internal,
        InvalidImage,
        InvalidOption,
        ModelMissing,
        NoSubject,
        Overloaded,
        StageUnavailable,
        UnflatError,
    )
    from services.common.options import CutoutOptions, DepthOptions, MaskOptions, MeshOptions

__all__ = [
    "AsyncClient",
    "Client",
    "CutoutOptions",
    "CutoutResult",
    "DeadlineExceeded",
    "DepthOptions",
    "ImageTooLarge",
    "Internal",
    "InvalidImage",
    "InvalidOption",
    "MaskOptions",
    "MeshOptions",
    "MeshResult",
    "ModelMissing",
    "NoSubject",
    "Overloaded",
    "Progress",
    "StageUnavailable",
    "UnflatError",
]


_HOMES = ("services.common.client", "services.common.errors", "services.common.options")


def __getattr__(name: str) -> object:
    """Return a name of the public face (PEP 562)."""
    if name in __all__:
        for home in map(import_module, _HOMES):
            if hasattr(home, name):
                return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public face."""
    return [*__all__, "v1"]
