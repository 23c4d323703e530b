"""What a test may need beyond `make install`: a mark each, how to see whether it is here, and how to get it.

    @pytest.mark.needs_exiftool
    def test_tags_are_read_back() -> None: ...

A test whose need is not met is skipped, and the end of the run says so in one line a need. A test that takes a fixture
named here has the mark by itself. `python -m tests.needs` prints the unmet needs as an expression for `pytest -m`, and
`python -m tests.needs debian` the Debian packages that would meet them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Evaluation photos, reference outputs and scorers, too large for the repository: they lie beside a checkout."""
FULL_SIZE = "UNFLAT_TEST_FULL_SIZE"


@dataclass(frozen=True)
class Need:
    """Something that is not everywhere.

    Args:
        what: what it is, for the line at the end of a run.
        how: how to get it.
        is_met: whether it is here.
        fixtures: who takes one of these has the need.
        debian: the package that brings it, where there is one.
    """

    what: str
    how: str
    is_met: Callable[[], bool]
    fixtures: tuple[str, ...] = ()
    debian: str = ""

    @property
    def reason(self) -> str:
        """What a skipped test says."""
        return f"needs {self.what}: {self.how}"


def _packages(*names: str) -> bool:
    return all(find_spec(name) is not None for name in names)


def _command(name: str, package: str, *fixtures: str) -> Need:
    return Need(name, f"apt-get install {package}", lambda: shutil.which(name) is not None, fixtures, package)


def _has_shared() -> bool:
    return all((SHARED / name).is_dir() for name in ("eval", "golden"))


def _has_weights() -> bool:
    from services.common.models.model_store import ModelStore
    from services.common.settings import default_store

    return ModelStore(default_store()).find("isnet-general-use") is not None


def _has_bfloat16() -> bool:
    from services.common.backends.openvino_cpu import bfloat16_processor

    return bfloat16_processor() != ""


NEEDS = {
    "torch": Need("PyTorch", "make torch", lambda: _packages("torch"), ("toy_folder", "standin_folder")),
    "peers": Need("rembg and pymatting", "make peers", (ROOT / ".venv-peers/ready").exists, ("rembg", "both")),
    "node": Need(
        "Node.js with the packages of package.json",
        "make web, with node and npm on the path",
        lambda: shutil.which("node") is not None and (ROOT / "services/gateway/page/vendor/three.js").is_file(),
        ("axe",),
    ),
    "browser": _command("chromium", "chromium", "browser"),
    "redis": _command("redis-server", "redis-server", "redis_server"),
    "prometheus": _command("promtool", "prometheus"),
    "exiftool": _command("exiftool", "libimage-exiftool-perl"),
    "renderer": Need(
        "Mitsuba", "pip install --group evaluation", lambda: _packages("mitsuba", "mitsuba_oidn", "manifold3d")
    ),
    "shared": Need("evaluation data", "put it at ../shared, beside the checkout", _has_shared, ("golden",)),
    "weights": Need("ISNet's weights", "unflat models pull isnet-general-use", _has_weights, ("real_client",)),
    "full_size": Need("4 GB of memory and a minute", f"{FULL_SIZE}=1", lambda: FULL_SIZE in os.environ),
    "bfloat16": Need("bfloat16", "a CPU with AVX512-BF16 or AMX", _has_bfloat16),
    "linux": Need("all of 127.0.0.0/8 on loopback", "Linux", lambda: sys.platform == "linux", ("fleet",)),
}
PREFIX = "needs_"


def needed_module(name: str) -> Any:
    """Import a module that a whole test file needs at its top, or skip the file; the file has the mark as well."""
    if not NEEDS[name].is_met():
        pytest.skip(NEEDS[name].reason, allow_module_level=True)
    return importlib.import_module(name)


if __name__ == "__main__":
    unmet = {name: need for name, need in NEEDS.items() if not need.is_met()}
    if sys.argv[1:] == ["debian"]:
        print(" ".join(sorted(need.debian for need in unmet.values() if need.debian)))
    else:
        print(" or ".join(PREFIX + name for name in unmet))
