"""Which precision a network computes in, kept beside its weights, so that only the first start has to measure.

A record holds for one situation: the weights, what runs them and on which processor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def load_precision(record: Path, situation: str) -> dict[str, Any] | None:
    """Return what was written down in the same situation; None where there is nothing, or nothing of ours."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return dict(known) if known["situation"] == situation else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store_precision(record: Path, situation: str, precision: Mapping[str, Any]) -> None:
    """Write a precision down; where the folder cannot be written to, the next start measures again."""
    with suppress(OSError):
        record.write_text(json.dumps({"situation": situation} | dict(precision)), encoding="utf-8")
