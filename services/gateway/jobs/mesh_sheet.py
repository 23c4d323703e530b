"""A mesh to look at where nothing can turn it: the photo, the cutout and six views as one PNG."""

from __future__ import annotations

import asyncio
import io
from typing import Literal, cast

import numpy as np
from PIL import Image

from services.common.choices import MeshFormat
from services.common.client import MeshResult
from services.common.drawing.preview_sheet import preview_png
from services.common.telemetry.logs import get_logger

PHOTO = "photo"
"""The orchestrator's picture of the upright photo, small: uploads are not decoded here."""
SIDE_PX = 256  # of each view
LARGEST_PX = 52_000_000  # cutouts beyond it are not opened here: 200 MB each
_log = get_logger()


class SheetMaker:
    """Draws sheets, one at a time: each takes a second of one core and its pictures in memory."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def draw(self, result: MeshResult) -> bytes:
        """Return the sheet as a PNG, empty where it cannot be drawn: a picture beside the result never costs it."""
        try:
            async with self._turn:
                return await asyncio.to_thread(mesh_sheet, result)
        except Exception as problem:  # noqa: BLE001 - mesh readers raise what they like
            _log.warning("no sheet", reason=str(problem)[:200])
            return b""


def mesh_sheet(result: MeshResult) -> bytes:
    """Return the sheet of a mesh as a PNG.

    Args:
        result: the mesh, its cutout, and the picture `PHOTO` among its debug pictures.
    """
    photo, cutout = _thumbnail(result.debug[PHOTO], "RGB"), _thumbnail(result.cutout, "RGBA")
    return preview_png(np.asarray(photo), np.asarray(cutout), result.data, cast(MeshFormat, result.format))


def _thumbnail(png: bytes, mode: Literal["RGB", "RGBA"]) -> Image.Image:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        if picture.width * picture.height > LARGEST_PX:
            raise ValueError(f"a picture of {picture.width} × {picture.height} px is not drawn small here")
        small = picture.convert(mode)
        small.thumbnail((SIDE_PX, SIDE_PX))
        return small
