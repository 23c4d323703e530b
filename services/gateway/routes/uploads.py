"""The parts of an upload that every route of the pipeline takes: a photo, and what may come with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, File, UploadFile

from services.common.choices import Preset
from services.common.errors import InvalidImage
from services.common.options import MaskOptions
from services.gateway.routes.forms import form_of

PhotoPart = Annotated[UploadFile, File(description="the photo: JPEG, PNG, WebP, TIFF, GIF, BMP, HEIC or AVIF")]
MaskPart = Annotated[UploadFile | None, File(description="a mask that replaces segmentation: picture or NPZ")]
DepthPart = Annotated[UploadFile | None, File(description="an inverse depth that replaces the depth stage")]


@dataclass(frozen=True)
class Upload:
    """A photo with its file's name (empty where it came without), and how its mask is to be made or what it is."""

    photo: bytes
    name: str
    mask: MaskOptions


def upload_form(preset: Preset, *, depth: bool) -> Callable[..., Awaitable[Upload]]:
    """Return a dependency that reads an upload, with the defaults of one route.

    Raises:
        InvalidImage: by the dependency: the photo is empty.
    """
    options_form = Depends(form_of(MaskOptions, preset=preset, depth=depth))

    async def read(
        file: PhotoPart, options: MaskOptions = options_form, mask: MaskPart = None, depth_map: DepthPart = None
    ) -> Upload:
        photo = await file.read()
        if not photo:
            raise InvalidImage("the file is empty; wanted a picture", field="file")
        supplied = {
            "mask": await mask.read() if mask else b"",
            "depth_map": await depth_map.read() if depth_map else b"",
        }
        return Upload(photo, file.filename or "", options.model_copy(update=supplied))

    return read
