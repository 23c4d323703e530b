"""Ending with the process that started us, even when that one is killed outright (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(pid: int) -> None:
    """Have the kernel send SIGTERM when the parent is gone; ends at once if it is gone already. 0 does nothing.

    Args:
        pid: the parent's, as it said itself: by the time we ask, the parent may be another.
    """
    if pid == 0 or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != pid:
        raise SystemExit(0)
