"""Results as HTTP answers: the bytes, their media type and name, and the receipt in headers."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.responses import Response

from services.common.client import CutoutResult, MeshResult
from services.common.receipts import outcome_of
from services.gateway.jobs.job import ResultInfo
from unflat.v1 import orchestrator_pb2 as pb

_MESH_TYPES = {"glb": "model/gltf-binary", "obj": "model/obj", "ply": "application/octet-stream", "stl": "model/stl"}
_ZIP_TYPE = "application/zip"
MESH_MEDIA_TYPES = (*_MESH_TYPES.values(), _ZIP_TYPE)
_ZIP_START = b"PK\x03\x04"
_LONGEST_HEADER = 1000
_LONGEST_NAME = 100
_PLAIN = str.maketrans({"–": "-", "—": "-", "…": "...", "×": "x", "’": "'", "≤": "<=", "≥": ">=", "²": "^2"})

EXPOSED_HEADERS = (
    "X-Request-Id",
    "X-Unflat-Request-Id",
    "X-Unflat-Receipt",
    "X-Unflat-Degraded",
    "X-Unflat-Depth",
    "X-Unflat-Backends",
    "X-Unflat-Warning",
    "X-Unflat-Verdict",
    "X-Unflat-Seconds",
    "Content-Disposition",
    "Retry-After",
)


def receipt_headers(receipt: pb.Receipt, request_id: str) -> dict[str, str]:
    """Return the receipt's summary; an absent header means that there was nothing to say."""
    headers = {
        "X-Unflat-Request-Id": request_id,
        "X-Unflat-Receipt": f"/receipts/{request_id}",
        "X-Unflat-Degraded": "true" if receipt.degraded else "false",
        "X-Unflat-Depth": outcome_of(receipt, "depth"),
        "X-Unflat-Backends": header_text(_backends(receipt)),
        "X-Unflat-Warning": header_text("; ".join(receipt.warnings)),
        "X-Unflat-Verdict": header_text(receipt.verdict),
        "X-Unflat-Seconds": f"{receipt.total_s:.3f}",
    }
    return {name: value for name, value in headers.items() if value}


def header_text(text: str) -> str:
    """Return `text` as a header can hold it: one line of printable ASCII, not too long."""
    line = " ".join(text.translate(_PLAIN).split())
    ascii_only = "".join(letter if " " <= letter <= "~" else "?" for letter in line)
    return ascii_only if len(ascii_only) <= _LONGEST_HEADER else ascii_only[: _LONGEST_HEADER - 3] + "..."


def cutout_info(result: CutoutResult, upload: str, *, mask_only: bool) -> ResultInfo:
    """Return media type and name of a cutout, named after the upload."""
    ending = result.media_type.removeprefix("image/")
    return ResultInfo(result.media_type, f"{_stem(upload)}{'-mask' if mask_only else ''}.{ending}", len(result.data))


def mesh_info(result: MeshResult, upload: str) -> ResultInfo:
    """Return media type and name of a mesh, named after the upload."""
    zipped = result.data.startswith(_ZIP_START)
    media_type = _ZIP_TYPE if zipped else _MESH_TYPES[result.format]
    return ResultInfo(media_type, f"{_stem(upload)}.{'zip' if zipped else result.format}", len(result.data))


def file_answer(data: bytes, info: ResultInfo, headers: dict[str, str]) -> Response:
    """Return a result: a picture to be shown, a mesh to be saved."""
    kind = "inline" if info.media_type.startswith("image/") else "attachment"
    return Response(data, 200, {**headers, **_disposition(kind, info.name)}, info.media_type)


def _backends(receipt: pb.Receipt) -> str:
    return ", ".join(f"{stage.stage}={stage.report.backend}" for stage in receipt.stages if stage.report.backend)


def _stem(upload: str) -> str:
    stem = PurePosixPath(upload.replace("\\", "/")).stem[:_LONGEST_NAME]
    printable = "".join(letter for letter in stem if letter.isprintable()).strip(" .")
    return printable or "unflat"


def _disposition(kind: str, name: str) -> dict[str, str]:
    """RFC 6266: a plain name for all, the true one in UTF-8 where it differs."""
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in name)
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return {"Content-Disposition": value}
