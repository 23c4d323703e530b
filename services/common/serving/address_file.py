"""How a process says where it listens: a log line for people, a file for whoever started it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from services.common.telemetry.logs import get_logger
from services.common.version import VERSION

_log = get_logger()


def write_address_file(file: Path | None, addresses: dict[str, object], **facts: object) -> None:
    """Log the bound addresses, and write them to `file` in one piece, so that a reader never sees half of it.

    Args:
        file: where to write them, as JSON with the process id; None writes none.
        addresses: by name, as they are bound.
        facts: what stands in the log beside them.
    """
    _log.info("listening", **addresses, **facts, version=VERSION)
    if file is None:
        return
    aside = Path(f"{file}.{os.getpid()}.part")
    aside.write_text(json.dumps({**addresses, "pid": os.getpid()}), encoding="utf-8")
    aside.replace(file)
