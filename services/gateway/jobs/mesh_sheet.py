"""A mesh to look at where nothing can turn it: the photo, the cutout and six views as one PNG."""

from __future__ import annotations

import asyncio
import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, cast

import numpy as np
from PIL import Image, ImageOps

from services.common.client import MeshResult
from services.common.drawing.mesh_file import MeshFormat
from services.common.drawing.preview_sheet import preview_png
from services.common.telemetry.logs import get_logger

SIDE_PX = 256  # of each view
LARGEST_PX = 50_000_000  # pictures beyond it are not opened here: 200 MB each
_log = get_logger()


class SheetMaker:
    """Draws sheets, one at a time: each takes a second of one core and its pictures in memory."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sheet")

    async def draw(self, photo: bytes, made: MeshResult) -> bytes:
        """Return the sheet as a PNG, empty where it cannot be drawn: a picture beside the result never costs it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, mesh_sheet, photo, made)
        except Exception as problem:  # noqa: BLE001 - decoders and mesh readers raise what they like
            _log.warning("no sheet", reason=str(problem)[:200])
            return b""

    def close(self) -> None:
        """Draw nothing more."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def mesh_sheet(photo: bytes, made: MeshResult) -> bytes:
    """Return the sheet as a PNG.

    Args:
        photo: the encoded photo, which the orchestrator has decoded: its limits held for it.
        made: the mesh and its cutout.
    """
    pictures = np.asarray(_thumbnail(photo, "RGB")), np.asarray(_thumbnail(made.cutout, "RGBA"))
    return preview_png(*pictures, made.data, cast(MeshFormat, made.format))


def _thumbnail(encoded: bytes, mode: Literal["RGB", "RGBA"]) -> Image.Image:
    with contextlib.suppress(ImportError):  # HEIC where the decoder is installed
        import pillow_heif

        pillow_heif.register_heif_opener()
    with Image.open(io.BytesIO(encoded)) as picture:
        if picture.width * picture.height > LARGEST_PX:
            raise ValueError(f"a picture of {picture.width} × {picture.height} px is not drawn small here")
        picture.draft("RGB", (2 * SIDE_PX, 2 * SIDE_PX))  # a JPEG is decoded small at once
        small = ImageOps.exif_transpose(picture)
        if small.mode.startswith("I;16"):
            small = Image.fromarray((np.asarray(small) >> 8).astype(np.uint8))
        small = small.convert(mode)
        small.thumbnail((SIDE_PX, SIDE_PX))
        return small
