"""Runs other people's code, which ours is compared with, in its own environment, `.venv-peers`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-peers" / "bin" / "python"


def have_baselines() -> bool:
    """Tell whether `make peers` was run."""
    return PYTHON.exists()


def run_baseline(script: str, wanted: dict[str, Any]) -> Any:
    """Return what a script of `bench/baselines` answers.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    command = [str(PYTHON), str(ROOT / "bench" / "baselines" / script)]
    done = subprocess.run(command, input=json.dumps(wanted), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{script} failed: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])  # libraries print warnings before it
