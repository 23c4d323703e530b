"""How one photo of a set ended."""

from __future__ import annotations

from dataclasses import dataclass

from services.cli.photo_files import PhotoItem
from services.cli.photo_sets.consistency import Doubt
from services.cli.photo_sets.journal import Entry
from services.common.errors import UnflatError
from unflat.v1 import orchestrator_pb2 as pb


@dataclass
class PhotoOutcome:
    """How it ended; `entry` where there are results, `problem` where there are none.

    `receipt` is of this run: None where the results were there already. `doubt` says why it stands out from the set.
    """

    item: PhotoItem
    entry: Entry | None = None
    problem: UnflatError | None = None
    receipt: pb.Receipt | None = None
    doubt: Doubt | None = None
