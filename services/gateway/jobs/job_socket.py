"""WS /ws/generate-mesh: options as JSON text, the photo as one binary message; the job at every change, then the mesh.

    client → {"preset": "quality"}        the names of the form, or {}
    client → (the photo)
    server → {"id": …, "state": "queued", …}  … {"state": "done", …}
    server → (the mesh)

A socket that closes does not end the job: its id stands in the first message, GET /jobs/{id} goes on from there. What
is wrong before there is a job is told as problem JSON ("type", "status", "detail") and closes the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic_core import from_json
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.common.errors import ImageTooLarge, InvalidImage, InvalidOption, UnflatError
from services.common.options import MaskOptions, MeshOptions, parse_options
from services.common.telemetry.logs import get_logger
from services.gateway.gateway import Gateway
from services.gateway.jobs.job import RESULT
from services.gateway.problems import problem_body, request_id_of

SUBPROTOCOL = "unflat"
_LONGEST_OPTIONS = 64 << 10
_REFUSED, _TOO_LARGE, _FAILED = 1008, 1009, 1011  # RFC 6455, §7.4.1
_log = get_logger()


def socket_router(gateway: Gateway) -> APIRouter:
    """Return the route of the socket."""
    router = APIRouter()

    @router.websocket("/ws/generate-mesh")
    async def generate_mesh(socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        try:
            await _serve(gateway, socket)
        except UnflatError as problem:
            await _refuse(socket, problem)
        except WebSocketDisconnect:
            _log.info("socket left")

    return router


async def _serve(gateway: Gateway, socket: WebSocket) -> None:
    settings = gateway.settings
    try:
        async with asyncio.timeout(settings.upload_timeout_s):
            mask, mesh = parse_json_options(await _receive(socket, "text"))
            photo: bytes = await _receive(socket, "bytes")
    except TimeoutError:
        raise InvalidImage(f"the photo did not arrive within {settings.upload_timeout_s:g} s", field="file") from None
    if not photo:
        raise InvalidImage("the file is empty; wanted a picture", field="file")
    if len(photo) > settings.max_upload_bytes:
        raise ImageTooLarge(f"the limit for a photo is {settings.max_upload_mb} MiB (--max-upload-mb)", field="file")
    job = await gateway.runner.start_mesh(photo, mask, mesh, "")
    async for now in gateway.jobs.watch(job, settings.heartbeat_s):
        if now is not None:
            job = now
            await socket.send_json(now.as_json())
    if job.state == "done":
        await socket.send_bytes(await gateway.jobs.file(job.id, RESULT) or b"")
    await socket.close()


async def _receive(socket: WebSocket, kind: str) -> Any:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    found = message.get(kind)
    if found is None:
        raise InvalidOption(
            "wanted one text message with the options as JSON, then one binary message with the photo", field=kind
        )
    return found


def parse_json_options(text: str) -> tuple[MaskOptions, MeshOptions]:
    """Return the options of a JSON object with the names of the form; what is left out has its default.

    Raises:
        InvalidOption: no JSON object, a name that nobody knows, or a value out of its range.
    """
    if len(text) > _LONGEST_OPTIONS:
        raise InvalidOption(f"the options are longer than {_LONGEST_OPTIONS >> 10} KiB", field="options")
    try:
        given = from_json(text)
    except ValueError as problem:
        raise InvalidOption(f"the options are no JSON: {problem}", field="options") from None
    if not isinstance(given, dict):
        raise InvalidOption("the options are no JSON object; wanted one, {} for none", field="options")
    return parse_options(given, "WebSocket", MaskOptions, MeshOptions)


async def _refuse(socket: WebSocket, problem: UnflatError) -> None:
    _log.info("refused", reason=problem.reason, detail=problem.message)
    await socket.send_json(problem_body(problem, request_id_of(socket.scope)))
    code = _TOO_LARGE if problem.http_status == 413 else _REFUSED if problem.http_status < 500 else _FAILED
    await socket.close(code, problem.message[:100])
