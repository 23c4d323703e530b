"""How long an answer waits for depth once segmentation is done.

Depth may not hold an answer up for long, and a stage that takes longer than it usually does is better left alone. So a
cutout waits a fixed time, and a mesh, which is worth waiting for, as long as the depths that were observed suggest. Who
asks for a longer wait, or for depth of high quality, is given it within the deadline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.orchestrator.stages.stage_protocols import STANDARD
from unflat.v1 import depth_pb2
from unflat.v1 import orchestrator_pb2 as pb

Product = Literal["cutout", "mesh"]

CUTOUT_WAIT_S = 2.0
MAX_SHARE = 0.5  # of the time left, whatever was asked: the answer comes in time
MESH_SHARE = 0.25  # of the time left, unless asked for more
_OBSERVATIONS = 50
_USUAL_PERCENTILE = 95


@dataclass(frozen=True)
class WaitBudget:
    """How long to wait, and whether a stage that takes longer is too slow.

    Attributes:
        seconds: from the end of segmentation.
        is_usual: False where a caller asked for another wait than usual, which says nothing about the stage.
    """

    seconds: float
    is_usual: bool


class DepthWait:
    """The wait budget, learnt from the times that depth took; one event loop.

    >>> wait = DepthWait()
    >>> wait.budget("mesh", None, STANDARD, left_s=60).seconds  # nothing is known yet
    15.0
    >>> wait.observe(pb.StageReceipt(outcome="OUTCOME_OK", total_s=3), STANDARD)
    >>> wait.budget("mesh", None, STANDARD, left_s=60).seconds, wait.budget("cutout", None, STANDARD, 60).seconds
    (6.0, 2.0)
    """

    def __init__(self) -> None:
        self._observed_s: deque[float] = deque(maxlen=_OBSERVATIONS)

    def observe(self, receipt: pb.StageReceipt, options: depth_pb2.DepthOptions) -> None:
        """Note how long depth took, if a stage was asked for the standard map and answered."""
        if receipt.outcome == pb.OUTCOME_OK and not receipt.cached and options == STANDARD:
            self._observed_s.append(receipt.total_s)

    def budget(
        self, product: Product, asked_s: float | None, options: depth_pb2.DepthOptions, left_s: float
    ) -> WaitBudget:
        """Return how long to wait.

        Args:
            product: what the depth is for.
            asked_s: what the caller asked for, or None.
            options: of the depth.
            left_s: until the request's deadline.
        """
        limit_s = MAX_SHARE * left_s
        if asked_s is not None:
            return WaitBudget(min(asked_s, limit_s), is_usual=False)
        if options != STANDARD:
            return WaitBudget(limit_s, is_usual=False)
        usual_s = CUTOUT_WAIT_S if product == "cutout" else self._for_mesh_s(left_s)
        return WaitBudget(min(usual_s, limit_s), is_usual=True)

    def _for_mesh_s(self, left_s: float) -> float:
        """Twice what depth usually takes; never less than for a cutout, since a depth that has died is tried again for
        a while and should be called UNAVAILABLE, not late.
        """
        share_s = MESH_SHARE * left_s
        if not self._observed_s:
            return share_s
        usual_s = float(np.percentile(self._observed_s, _USUAL_PERCENTILE))
        return min(max(2 * usual_s, CUTOUT_WAIT_S), share_s)
