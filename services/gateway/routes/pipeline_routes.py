"""POST /remove-bg, POST /generate-mesh, GET /receipts/{id}."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.common.choices import ImageFormat
from services.common.client import result_of
from services.common.errors import Overloaded, StageUnavailable
from services.common.options import CutoutOptions, MeshOptions
from services.common.receipts import receipt_to_dict
from services.common.telemetry.logs import get_logger
from services.gateway.callers import while_connected
from services.gateway.gateway import Gateway
from services.gateway.problems import request_id_of
from services.gateway.routes.forms import accepted_format, form_of
from services.gateway.routes.openapi import UPLOAD_REFUSALS, Responses, file_of, refusals
from services.gateway.routes.responses import MESH_MEDIA_TYPES, cutout_info, file_answer, mesh_info, receipt_headers
from services.gateway.routes.uploads import Upload, upload_form
from unflat.v1 import orchestrator_pb2 as pb

# A quick cutout is what most callers of a background remover want; a mesh is worth the wait.
CutoutUpload = Annotated[Upload, Depends(upload_form("fast", depth=False))]
MeshUpload = Annotated[Upload, Depends(upload_form("balanced", depth=True))]
CutoutForm = Annotated[CutoutOptions, Depends(form_of(CutoutOptions))]
MeshForm = Annotated[MeshOptions, Depends(form_of(MeshOptions))]

_log = get_logger()
_PICTURES = file_of("The cutout", *(f"image/{name}" for name in get_args(ImageFormat)))
_MESHES = file_of("The mesh", *MESH_MEDIA_TYPES)
_RECEIPT = {"description": "The receipt", "content": {"application/json": {"schema": {"type": "object"}}}}
_RECEIPTS: Responses = {200: _RECEIPT, **refusals(401, 404, 503)}


def pipeline_router(gateway: Gateway) -> APIRouter:
    """Return the routes of the pipeline."""
    router = APIRouter(tags=["pipeline"])

    @router.post("/remove-bg", response_class=Response, responses={200: _PICTURES, **UPLOAD_REFUSALS})
    async def remove_bg(
        request: Request,
        upload: CutoutUpload,
        cutout: CutoutForm,
    ) -> Response:
        """Return the subject of a photo on a transparent background.

        The fast preset without depth unless asked otherwise. `format`, else the Accept header, chooses PNG, WebP, TIFF
        or JPEG. The receipt's summary stands in `X-Unflat-…` headers, the whole at `/receipts/{id}`.

            curl -X POST -F "file=@test.jpg" http://localhost:8000/remove-bg -o mask.png
        """
        if "format" not in cutout.model_fields_set:
            cutout = cutout.model_copy(update={"format": accepted_format(request.headers.get("accept", ""))})
        request_id = request_id_of(request.scope)
        async with while_connected(request), gateway.admission.admit():
            result = await result_of(
                gateway.client.stream_cutout(upload.photo, mask=upload.mask, cutout=cutout, request_id=request_id)
            )
        headers = await keep_receipt(gateway, result.receipt, request_id)
        return file_answer(result.data, cutout_info(result, upload.name, mask_only=cutout.mask_only), headers)

    @router.post("/generate-mesh", response_class=Response, responses={200: _MESHES, **UPLOAD_REFUSALS})
    async def generate_mesh(
        request: Request,
        upload: MeshUpload,
        mesh: MeshForm,
    ) -> Response:
        """Return a closed mesh of the subject of a photo.

        curl -X POST -F "file=@test.jpg" http://localhost:8000/generate-mesh -o model.glb
        """
        request_id = request_id_of(request.scope)
        async with while_connected(request), gateway.admission.admit():
            result = await result_of(
                gateway.client.stream_mesh(upload.photo, mask=upload.mask, mesh=mesh, request_id=request_id)
            )
        headers = await keep_receipt(gateway, result.receipt, request_id)
        return file_answer(result.data, mesh_info(result, upload.name), headers)

    @router.get("/receipts/{request_id}", response_class=JSONResponse, responses=_RECEIPTS)
    async def receipt(request_id: str) -> JSONResponse:
        """Return the whole receipt of an answer: what ran where, how long, what was degraded and why."""
        found = await gateway.receipts.get(request_id)
        if found is None:
            kept = f"each for {gateway.settings.receipt_ttl_s:.0f} s"
            raise HTTPException(404, f"there is no receipt under this id; they are kept {kept}")
        return JSONResponse(found)

    return router


async def keep_receipt(gateway: Gateway, receipt: pb.Receipt, request_id: str) -> dict[str, str]:
    """Keep `receipt` for GET /receipts/{id}, and return its summary as headers.

    A store that is away costs the link to the receipt, never the answer.
    """
    headers = receipt_headers(receipt, request_id)
    try:
        await gateway.receipts.put(request_id, receipt_to_dict(receipt))
    except (StageUnavailable, Overloaded) as problem:
        _log.warning("receipt not kept", reason=problem.message)
        del headers["X-Unflat-Receipt"]
    return headers
