"""The store: one folder, a folder a model in it, and beside each file a record of the hash it was checked against.

A file is hashed when it comes in and again whenever its size or time of change differs from the record, so that a
start is quick and a file that was exchanged is noticed all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import StageUnavailable
from services.common.models.manifest import BY_NAME, HashKind, Model, ModelFile, Variant

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StoredModel:
    """A model that is here, whole and checked.

    Attributes:
        path: the weights, its largest file.
        sha256: of the weights; empty where there is no such file.
        licence: of the weights.
    """

    path: Path
    sha256: str
    licence: str

    @property
    def folder(self) -> Path:
        """Where all its files lie, under their published names."""
        return self.path.parent

    @classmethod
    def own_file(cls, path: Path) -> StoredModel:
        """Return a file from outside the store, with its hash."""
        digest = ""
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, digest, "not stated (a file of your own)")


FindModel = Callable[[str], StoredModel | None]
"""Answers a name of the store, or None where the model is not here whole."""


def find_nothing(name: str) -> StoredModel | None:
    """Answer as an empty store would."""
    del name
    return None


class ModelStore:
    """Finds, checks and takes in models.

    Args:
        folder: where the store lies; made when something comes in.
        models: the manifest by name; another one in tests.
    """

    def __init__(self, folder: Path, models: dict[str, Model] | None = None) -> None:
        self.folder = folder
        self.models = BY_NAME if models is None else models

    def path_of(self, model: Model, file: ModelFile) -> Path:
        """Return where `file` lies or would lie."""
        return self.folder / model.name / file.name

    def find(self, name: str) -> StoredModel | None:
        """Return the model if all its files are here and have a right hash, else None.

        Raises:
            StageUnavailable: a file is here but its hash is wrong.
        """
        model = self.models.get(name)
        if model is None or not all(self.path_of(model, file).is_file() for file in model.files):
            return None
        for file in model.files:
            if not self.is_good(model, file):
                raise StageUnavailable(
                    f"{self.path_of(model, file)} does not have the hash of {name}; "
                    f"remove it and run `unflat models pull {name}`"
                )
        weights = max((self.path_of(model, file) for file in model.files), key=lambda path: path.stat().st_size)
        return StoredModel(weights, self._record(weights)["sha256"], model.licence)

    def is_good(self, model: Model, file: ModelFile) -> bool:
        """Tell whether the file here has the hash of one of its variants."""
        digests = self._record(self.path_of(model, file))
        return any(digests[variant.hash_kind] == variant.digest for variant in file.variants)

    @contextmanager
    def incoming(self, model: Model, file: ModelFile) -> Iterator[Path]:
        """Yield a path to write to; it becomes the file when the body ends and the hash is right.

        A partial file is kept when the body fails, so that a download can go on; one with a wrong hash is removed.

        Raises:
            StageUnavailable: what was written has none of the known hashes.
        """
        target = self.path_of(model, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + ".part")
        yield aside
        digests = _digests(aside)
        if not any(digests[variant.hash_kind] == variant.digest for variant in file.variants):
            aside.unlink()
            raise StageUnavailable(
                f"{file.name} of {model.name} came with sha256 {digests['sha256'][:16]}…, which is not a known one"
            )
        aside.replace(target)
        self._write_record(target, digests)

    def take(self, model: Model, file: ModelFile, source: Path) -> None:
        """Copy a file that lies elsewhere into the store.

        Raises:
            StageUnavailable: its hash is not a known one; the store stays as it was.
        """
        with self.incoming(model, file) as aside:
            shutil.copyfile(source, aside)

    def variant_here(self, model: Model, file: ModelFile) -> Variant | None:
        """Return which variant lies here, or None."""
        path = self.path_of(model, file)
        if not path.is_file():
            return None
        digests = self._record(path)
        return next((v for v in file.variants if digests[v.hash_kind] == v.digest), None)

    def forget_record(self, model: Model, file: ModelFile) -> None:
        """Have the file hashed anew the next time."""
        _record_path(self.path_of(model, file)).unlink(missing_ok=True)

    def record_made(self, model: Model, name: str) -> None:
        """Note the hash of a file that was made here from the model's own, for `is_as_made`."""
        path = self.folder / model.name / name
        self._write_record(path, _digests(path))

    def is_as_made(self, model: Model, name: str) -> bool | None:
        """Hash a file that was made here anew and tell whether it is what was noted; None where nothing was."""
        path = self.folder / model.name / name
        try:
            noted = json.loads(_record_path(path).read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return bool(_digests(path)["sha256"] == noted)

    def _record(self, path: Path) -> dict[HashKind, str]:
        stat = path.stat()
        try:
            record = json.loads(_record_path(path).read_text(encoding="utf-8"))
            if record["size"] == str(stat.st_size) and record["mtime_ns"] == str(stat.st_mtime_ns):
                return {"sha256": record["sha256"], "md5": record["md5"]}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no record, or not one of ours: the file itself decides
        digests = _digests(path)
        self._write_record(path, digests)
        return digests

    def _write_record(self, path: Path, digests: dict[HashKind, str]) -> None:
        stat = path.stat()
        record = {
            "size": str(stat.st_size),
            "mtime_ns": str(stat.st_mtime_ns),
            **{str(k): v for k, v in digests.items()},
        }
        target = _record_path(path)
        aside = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            aside.write_text(json.dumps(record), encoding="utf-8")
            aside.replace(target)
        except OSError:  # a read-only store (a mounted volume) is hashed at each start instead
            with suppress(OSError):  # a read-only file system refuses this, too
                aside.unlink(missing_ok=True)


def _record_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.hash.json")


def _digests(path: Path) -> dict[HashKind, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return {"sha256": sha256.hexdigest(), "md5": md5.hexdigest()}
