"""The options of rembg's /api/remove (2.0.86): names, types, defaults and bounds.

rembg reads most POST options from the form and `bgc`, `extras` from the query, and ignores each elsewhere without a
word. Many clients can configure only a URL, so both places are read here; where both name an option, rembg's own wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import InvalidOption
from services.gateway.rembg.rembg_colours import ColourAlpha, parse_rembg_colour

# Sessions of rembg 2.0.86; a name among them is no typing error, whether its weights are here or not.
REMBG_MODELS = frozenset(
    {
        "bria-rmbg",
        "isnet-general-use",
        "isnet-anime",
        "u2net",
        "u2netp",
        "u2net_human_seg",
        "u2net_cloth_seg",
        "silueta",
        "birefnet-general",
        "birefnet-general-lite",
        "birefnet-general-fp16",
        "birefnet-portrait",
        "birefnet-dis",
        "birefnet-hrsod",
        "birefnet-cod",
        "birefnet-massive",
        "sam",
        "u2net_custom",
        "dis_custom",
        "ben_custom",
    }
)
_OWN_IN_QUERY = frozenset({"bgc", "extras"})


class RembgOptions(BaseModel):
    """What a request asks for."""

    model_config = ConfigDict(frozen=True)

    model: str = Field("", description="a model's name; empty is what runs here")
    a: bool = Field(False, description="alpha matting")
    af: int = Field(240, ge=0, le=255, description="matting: foreground threshold")
    ab: int = Field(10, ge=0, le=255, description="matting: background threshold")
    ae: int = Field(10, ge=0, description="matting: erosion in pixels")
    om: bool = Field(False, description="only the mask")
    ppm: bool = Field(False, description="post-process the mask: alpha is 0 or 255")
    dc: bool = Field(False, description="decontaminate colours at soft edges, as matting does anyway")
    vm: bool = Field(False, description="rembg's ViTMatte; alpha matting here")
    bgc: str = Field("", description="background colour r,g,b or r,g,b,a")
    extras: str = Field("", description="JSON object of further options")

    @property
    def background(self) -> ColourAlpha | None:
        """The colour to lay under the cutout, checked by `parse_rembg_options`."""
        return parse_rembg_colour(self.bgc) if self.bgc else None

    @property
    def matting(self) -> bool:
        """Whether alpha matting is wanted, by `a`, `vm` or `extras`."""
        return self.a or self.vm or self._extras.get("alpha_matting") is True

    @property
    def _extras(self) -> dict[str, Any]:
        try:
            found = json.loads(self.extras)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def parse_rembg_options(query: Mapping[str, str], form: Mapping[str, str]) -> RembgOptions:
    """Return the options of a request; an empty value is the default.

    Raises:
        RequestValidationError: a value of the wrong type or out of its bounds, with its place as rembg states it.
    """
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    for name in RembgOptions.model_fields:
        place = place_of(name, query, form)
        given = query if place == "query" else form
        if given.get(name):
            values[name], places[name] = given[name], place
    try:
        options = RembgOptions.model_validate(values)
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
        located = [{**error, "loc": (places[str(error["loc"][0])], *error["loc"])} for error in errors]
        raise RequestValidationError(located) from None
    try:
        options.background  # noqa: B018 - its check is the point
    except InvalidOption as problem:
        raise RequestValidationError(
            [_error("value_error", places["bgc"], "bgc", problem.message, options.bgc)]
        ) from None
    return options


def place_of(name: str, query: Mapping[str, str], form: Mapping[str, str]) -> str:
    """Return where an option is read, "query" or "body": rembg's own place if it is given there, else the other."""
    if name in _OWN_IN_QUERY:
        return "body" if not query.get(name) and form.get(name) else "query"
    return "query" if not form.get(name) and query.get(name) else "body"


def missing(place: str, name: str) -> RequestValidationError:
    """Return FastAPI's error for a required field that is not there."""
    return RequestValidationError([_error("missing", place, name, "Field required", None)])


def unknown_model(place: str, model: str, running: str) -> RequestValidationError:
    """Return rembg's error for a model that nobody knows."""
    known = ", ".join(sorted({*REMBG_MODELS, "auto", running} - {""}))
    return RequestValidationError(
        [_error("string_pattern_mismatch", place, "model", f"Model should be one of: {known}", model)]
    )


def runs_as(model: str, backend: str) -> bool:
    """Return whether `backend` of the segmentation stage (`rembg:isnet-general-use`) is what rembg calls `model`."""
    return model in ("", "auto", backend) or backend.partition(":")[2] == model


def _error(kind: str, place: str, name: str, message: str, given: str | None) -> dict[str, Any]:
    return {"type": kind, "loc": (place, name), "msg": message, "input": given}
