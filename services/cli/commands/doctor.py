"""`unflat doctor`: what this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.console import make_console
from services.common.models.manifest import MODELS
from services.common.models.model_store import ModelStore
from services.common.settings import default_store
from services.common.version import VERSION

_NEEDED = ("grpc", "google.protobuf", "numpy", "cv2", "scipy", "PIL", "skimage", "trimesh", "fastapi", "uvicorn")
_OPTIONAL = {
    "onnxruntime": "segmentation networks",
    "openvino": "depth without torch",
    "pillow_heif": "HEIC photos",
    "xatlas": "baked textures",
    "torch": "GPUs and TripoSR",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool
    said: str
    needed: bool = True


def doctor() -> None:
    """Look over this machine; exit 1 when something needed is missing."""
    findings = [*_machine(), *_packages(), *_weights(), *_own_networks(), *_ways_out()]
    table = Table(title=f"unflat {VERSION}", title_justify="left", header_style="bold")
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]✓[/green]" if finding.good else "[red]✗[/red]" if finding.needed else "[yellow]–[/yellow]"
        table.add_row(mark, finding.what, escape(finding.said))
    make_console().print(table)
    if any(finding.needed and not finding.good for finding in findings):
        raise typer.Exit(1)


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding("Python", sys.version_info >= (3, 11), f"{version}, wanted 3.11 or newer")
    flags = _cpu_flags()
    fast = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    yield Finding("CPU", True, f"{os.cpu_count()} cores, {', '.join(fast) or 'no wide vectors'}")
    memory_gb = _memory_bytes() / 1e9
    yield Finding("memory", memory_gb >= 2, f"{memory_gb:.1f} GB, wanted 2 or more")
    gpu = shutil.which("nvidia-smi") is not None
    yield Finding("NVIDIA GPU", gpu, "driver found" if gpu else "no driver; everything runs on the CPU", needed=False)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
            yield Finding("loopback", True, "ports can be opened")
        except OSError as problem:
            yield Finding("loopback", False, f"no port can be opened: {problem}")
    folder = Path(tempfile.gettempdir())
    yield Finding("scratch folder", os.access(folder, os.W_OK), str(folder))


def _packages() -> Iterator[Finding]:
    missing = [name for name in _NEEDED if not _has(name)]
    said = f"missing: {', '.join(missing)}; run `pip install 'unflat[light]'`" if missing else "all here"
    yield Finding("packages", not missing, said)
    for name, use in _OPTIONAL.items():
        here = _has(name)
        yield Finding(name, here, use if here else f"not installed: no {use}", needed=False)


def _weights() -> Iterator[Finding]:
    store = ModelStore(default_store())
    for model in MODELS:
        if not model.default:
            continue
        here = all(store.path_of(model, file).is_file() for file in model.files)
        said = f"in {store.folder}" if here else f"not here; `unflat models pull {model.name}`"
        yield Finding(f"weights: {model.name}", here, said, needed=False)


def _own_networks() -> Iterator[Finding]:
    """Look for the matting network that the environment names; without it the orchestrator does not start."""
    name = os.environ.get("UNFLAT_ORCHESTRATOR_MATTING") or os.environ.get("UNFLAT_MATTING") or ""
    kind, _, path = name.partition("?")[0].partition(":")
    if kind == "onnx":
        here = Path(path).is_file()
        yield Finding("matting network", here, path if here else f"no file at {path}; correct or unset UNFLAT_MATTING")


def _ways_out() -> Iterator[Finding]:
    npm = shutil.which("npm")
    yield Finding("npm", npm is not None, npm or "not here; one source of ISNet fewer", needed=False)


def _has(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _cpu_flags() -> set[str]:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return set(line.split(":", 1)[1].split())
    except OSError:
        pass  # not Linux: nothing is known of the flags
    return set()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
