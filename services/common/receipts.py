"""Receipts for people and programs: the same fields as the message, with plain words for its enums."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from unflat.v1 import orchestrator_pb2

_UPPER = ("OUTCOME_", "SERVING_")
_LOWER = ("STRATEGY_", "MESH_FORMAT_", "MASK_SOURCE_", "MESH_VERDICT_")
_DECIMALS = 5


def receipt_to_dict(receipt: Message) -> dict[str, Any]:
    """Return a receipt (or status) as JSON-ready values: outcomes as OK, DISABLED, …, numbers rounded to 5 decimals."""
    raw: dict[str, Any] = MessageToDict(
        receipt, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    plain: dict[str, Any] = _plain(raw)
    return plain


def outcome_of(receipt: orchestrator_pb2.Receipt, stage: str) -> str:
    """Return what became of `stage` (OK, DISABLED, …), or an empty string if it is not on the receipt."""
    for found in receipt.stages:
        if found.stage == stage:
            return orchestrator_pb2.Outcome.Name(found.outcome).removeprefix("OUTCOME_")
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, str):
        for prefix in _UPPER:
            value = value.removeprefix(prefix)
        for prefix in _LOWER:
            if value.startswith(prefix):
                return value.removeprefix(prefix).lower()
    return value
