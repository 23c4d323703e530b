"""GET|POST /api/remove: rembg's contract, so that its clients need only a new URL.

Kept: names, places and bounds of the options, 422 bodies, a PNG as the answer. Different on purpose: options of a POST
count in the query as well; what crashed there (500) is refused with a reason (400, 413, 422, 429, 503); colours are
straight, not premultiplied; a model that a caller names comes from the store alone and within a budget of memory; no
subject is an empty picture with a warning, because old clients save any body as .png; other origins may call only where
--cors-origins says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.common.client import result_of
from services.common.errors import InvalidImage, ModelMissing, NoSubject
from services.common.models.manifest import BY_NAME
from services.common.options import CutoutOptions, MaskOptions
from services.common.options.declare import limits
from services.gateway.callers import while_connected
from services.gateway.gateway import Gateway
from services.gateway.problems import REMBG_PATH, request_id_of
from services.gateway.rembg.rembg_options import (
    REMBG_MODELS,
    RembgOptions,
    missing,
    parse_rembg_options,
    place_of,
    runs_as,
    unknown_model,
)
from services.gateway.rembg.rembg_pictures import empty_picture, harden, lay_on
from services.gateway.routes.pipeline_routes import keep_receipt
from services.gateway.routes.responses import header_text

_PNG = "image/png"
_SEGMENTATION = "segmentation"
_, _MOST_ERODE_PX = limits(CutoutOptions.model_fields["erode_size"])


def rembg_router(gateway: Gateway) -> APIRouter:
    """Return the routes of the drop-in."""
    router = APIRouter(tags=["rembg"])

    @router.get(REMBG_PATH, response_class=Response, openapi_extra=_get_docs(), responses=_RESPONSES)
    async def remove_by_url(request: Request) -> Response:
        """Remove the background of a picture behind a URL, as rembg does; off unless the gateway allows it."""
        url = request.query_params.get("url")
        if not url:
            raise missing("query", "url")
        options = parse_rembg_options(request.query_params, {})
        if not gateway.settings.url_fetch:
            raise HTTPException(403, "fetching by URL is switched off here (--url-fetch); send the picture by POST")
        model = await _choose_model(gateway, options.model, "query")
        return await _answer(gateway, request, options, model, lambda: gateway.fetch(url))

    @router.post(REMBG_PATH, response_class=Response, openapi_extra=_post_docs(), responses=_RESPONSES)
    async def remove(request: Request) -> Response:
        """Remove the background of an uploaded picture, as rembg does.

        Options may stand in the form or in the query.

            curl -X POST -F "file=@test.jpg" http://localhost:8000/api/remove -o cutout.png
            curl -X POST -F "file=@test.jpg" "http://localhost:8000/api/remove?om=true" -o mask.png
        """
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise missing("body", "file")
            photo = await file.read()
            texts = _texts(form)
        options = parse_rembg_options(request.query_params, texts)
        if not photo:
            raise InvalidImage("the file is empty; wanted a picture", field="file")
        model = await _choose_model(gateway, options.model, place_of("model", request.query_params, texts))

        async def uploaded() -> bytes:
            return photo

        return await _answer(gateway, request, options, model, uploaded)

    return router


async def _choose_model(gateway: Gateway, model: str, place: str) -> str:
    """Return the model to ask segmentation for; empty for the one that runs.

    A model that we know is asked for: segmentation loads it where its weights are in the store, else it is 503.

    Raises:
        ModelMissing: rembg knows it and we do not.
        RequestValidationError: nobody knows it.
    """
    if model in ("", "auto"):
        return ""
    status = await gateway.status.get()
    running = next((stage.backend for stage in status.stages if stage.stage == _SEGMENTATION), "")
    if runs_as(model, running):
        return ""
    if model in BY_NAME and BY_NAME[model].stage == _SEGMENTATION:
        return model
    if model not in REMBG_MODELS:
        raise unknown_model(place, model, running)
    raise ModelMissing(
        f"model {model} cannot run here, {running or 'none'} does; leave `model` out to use it", field="model"
    )


async def _answer(
    gateway: Gateway, request: Request, options: RembgOptions, model: str, get_photo: Callable[[], Awaitable[bytes]]
) -> Response:
    request_id = request_id_of(request.scope)
    mask = MaskOptions(preset="fast", depth=False, model=model)
    async with while_connected(request), gateway.admission.admit():
        photo = await get_photo()
        cutout = cutout_options(options)
        try:
            result = await result_of(
                gateway.client.stream_cutout(photo, mask=mask, cutout=cutout, request_id=request_id)
            )
        except NoSubject as problem:
            png = await asyncio.to_thread(_empty, problem, options)
            return Response(
                png, 200, {"X-Unflat-Warning": header_text(f"no subject was found: {problem.message}")}, _PNG
            )
        png = await asyncio.to_thread(_finish, result.data, options)
    return Response(png, 200, await keep_receipt(gateway, result.receipt, request_id), _PNG)


def _empty(problem: NoSubject, options: RembgOptions) -> bytes:
    """Return what is left of a photo without a subject; the problem states its upright size."""
    size = int(problem.facts["width"]), int(problem.facts["height"])
    return empty_picture(size, options.background, mask=options.om)


def cutout_options(options: RembgOptions) -> CutoutOptions:
    """Return what rembg's options ask of the cutout; `om` wins over matting, as it does there.

    `ae` has no upper bound there, and ours erodes by 255 px at most; where that leaves nothing sure on one side, the
    cutout is the plain one with cleaned colours, as there.

    The subject's own colour is estimated with matting or where `dc` asks for it, as there: it costs as much as all the
    rest around a small network.
    """
    if options.om or not options.matting:
        return CutoutOptions(mask_only=options.om, estimate_foreground=options.dc)
    if not options.a:
        return CutoutOptions(matting=True)
    return CutoutOptions(
        matting=True,
        foreground_threshold=options.af,
        background_threshold=options.ab,
        erode_size=min(options.ae, _MOST_ERODE_PX),
    )


def _finish(png: bytes, options: RembgOptions) -> bytes:
    # With matting, rembg hardens the mask that matting starts from: the result keeps its soft edge.
    if options.ppm and (options.om or not options.matting):
        png = harden(png)
    if options.background is not None and not options.om:
        png = lay_on(png, options.background)
    return png


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The cutout or mask", "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}}},
    400: {"description": "Not a usable picture, a malformed body, or a URL that may not be fetched"},
    401: {"description": "The token is missing or wrong"},
    403: {"description": "Fetching by URL is switched off"},
    408: {"description": "The body did not arrive in time"},
    413: {"description": "More bytes or pixels than the limit"},
    422: {"description": "A field is missing, of the wrong type or out of its range"},
    429: {"description": "Busy; Retry-After says when to come back"},
    503: {"description": "The model or a stage is not there"},
    504: {"description": "The time ran out"},
}


def _properties() -> dict[str, Any]:
    properties: dict[str, Any] = RembgOptions.model_json_schema()["properties"]
    return {name: {k: v for k, v in schema.items() if k != "title"} for name, schema in properties.items()}


def _query_docs() -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "description": schema["description"], "schema": schema}
        for name, schema in _properties().items()
    ]


def _get_docs() -> dict[str, Any]:
    url = {"name": "url", "in": "query", "required": True, "schema": {"type": "string"}}
    return {"parameters": [url, *_query_docs()]}


def _post_docs() -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": ["file"], "properties": {"file": file, **_properties()}}
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    return {"parameters": _query_docs(), "requestBody": body}
