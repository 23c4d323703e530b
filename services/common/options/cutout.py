"""How the cutout is made of the mask, and written."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, WithJsonSchema, model_validator

from services.common.choices import ImageFormat, MetadataMode
from services.common.errors import InvalidOption
from services.common.options.base import Options
from services.common.options.declare import NotAt, Spelled, Unit, Unset, Wanted

Colour: TypeAlias = tuple[int, int, int]

_ABOVE, _BELOW = 240, 10  # the classic trimap's thresholds, where one of its three numbers is set and these are not

_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_NUMBERS = re.compile(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", re.ASCII)


def _read_colour(value: Any) -> Any:
    """Return (r, g, b) of `r,g,b` or `#rrggbb`."""
    if not isinstance(value, str):
        return value
    if found := _HEX.fullmatch(value):
        return tuple(bytes.fromhex(found[1]))
    return tuple(map(int, value.split(","))) if _NUMBERS.fullmatch(value) else value


def _refuse_beyond_bytes(colour: Colour | None) -> Colour | None:
    if colour is not None and not all(0 <= value <= 255 for value in colour):
        raise ValueError
    return colour


class CutoutOptions(Options):
    """How the cutout is made of the mask, and written."""

    not_at = (
        NotAt("WebSocket", "the socket makes meshes"),
        NotAt("page", "the page shows the cutout on any colour and saves it as a PNG"),
    )

    mask_only: bool = False
    """The mask alone, as a grey picture."""
    format: Annotated[ImageFormat, Spelled({"jpg": "jpeg", "tif": "tiff"})] = "png"
    """Format of the picture."""
    background: Annotated[
        Colour | None,
        BeforeValidator(_read_colour),
        AfterValidator(_refuse_beyond_bytes),
        Spelled(
            {
                "white": (255, 255, 255),
                "black": (0, 0, 0),
                "grey": (128, 128, 128),
                "transparent": None,
                "none": None,
                "": None,
            }
        ),
        Wanted("r,g,b (0 to 255 each), #rrggbb, white, black, grey"),
        Unset("transparent"),
        WithJsonSchema({"type": "string", "maxLength": 40}),
        Field(validation_alias=AliasChoices("background", "bgc")),
    ] = None
    """Colour to composite on."""
    matting: Annotated[bool | None, Unset("by preset")] = None
    """Alpha matting along the edge."""
    foreground_threshold: Annotated[int | None, Field(ge=0, le=255), Unset("adaptive trimap")] = None
    """Classic trimap, used where one of its three is set: alpha above is foreground."""
    background_threshold: Annotated[int | None, Field(ge=0, le=255), Unset("adaptive trimap")] = None
    """Classic trimap: alpha below is background."""
    erode_size: Annotated[int | None, Field(ge=0, le=255), Unit("px"), Unset("adaptive trimap")] = None
    """Classic trimap: both are eroded by a square of this side."""
    margin_px: Annotated[int, Field(ge=-100, le=100), Unit("px of the photo")] = 0
    """Grow the finished mask by so much, or below 0 shrink it."""
    estimate_foreground: bool = True
    """Take the background's colour out of soft pixels; off keeps the photo's colours."""
    metadata: MetadataMode = "all"
    """What of EXIF and XMP is kept: all, all but the position, or none; colour profile and resolution always are."""
    with_mask: Annotated[
        bool,
        NotAt("HTTP", "an answer carries one file; mask_only asks for the mask"),
        NotAt("CLI", "--mask-sidecar says for which program"),
    ] = False
    """The mask too, beside the cutout, as a grey PNG at the photo's size."""

    @property
    def is_classic(self) -> bool:
        """Whether the classic trimap is asked for, by any of its three numbers."""
        return (self.foreground_threshold, self.background_threshold, self.erode_size) != (None, None, None)

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> CutoutOptions:
        above = _ABOVE if self.foreground_threshold is None else self.foreground_threshold
        below = _BELOW if self.background_threshold is None else self.background_threshold
        if below > above:
            raise InvalidOption(
                f"foreground_threshold is {above} and background_threshold {below}; wanted the first no smaller",
                field="foreground_threshold",
            )
        return self
