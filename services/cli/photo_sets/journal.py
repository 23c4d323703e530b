"""What of a set is done: one line of JSON a photo in the folder of the results; of several lines the last holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.photo_sets.thumbnails import Thumbnail, thumbnail_from_dict, thumbnail_to_dict
from services.common.errors import InvalidOption

NAME = "unflat-set.jsonl"


@dataclass(frozen=True)
class Entry:
    """A finished photo.

    Attributes:
        place: its name with its folders, as `PhotoItem.place` says it.
        photo_sha256: of the file.
        options: digest of what was asked.
        files: results by their paths below the folder of the results, with their sizes in bytes.
        thumbnail: photo and mask, small.
        confidence: of the mask, 0 to 1, from the receipt.
        warnings: from the receipt.
        doubts: why it stands out from its neighbours; empty when it does not.
        retry: "" when it was made once; "kept" when the second attempt was the better one, "dropped" when not.
    """

    place: str
    photo_sha256: str
    options: str
    files: dict[str, int]
    thumbnail: Thumbnail
    confidence: float = 0.0
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    retry: str = ""


class Journal:
    """The entries of one folder of results; safe to add to from several threads."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._path = out / NAME
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._files: set[Path] = set()
        for entry in _read(self._path):
            self._remember(entry)

    def files(self) -> set[Path]:
        """Return every result that was ever written here."""
        return set(self._files)

    def done(self, place: Path, photo: bytes, options: str) -> Entry | None:
        """Return the entry of a photo that was made of these very bytes with these options, its files still there."""
        entry = self._entries.get(place.as_posix())
        if entry is None or entry.options != options or entry.photo_sha256 != digest(photo):
            return None
        here = all(_size(self._out / name) == size for name, size in entry.files.items())
        return entry if here else None

    def add(self, entry: Entry) -> None:
        """Write an entry.

        Raises:
            InvalidOption: the journal cannot be written.
        """
        line = json.dumps(asdict(entry) | {"thumbnail": thumbnail_to_dict(entry.thumbnail)})
        with self._lock:
            try:
                self._out.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as problem:
                raise InvalidOption(f"{self._path} cannot be written: {problem.strerror}") from None
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.place] = entry
        self._files |= {self._out / name for name in entry.files}


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sizes(out: Path, files: Iterable[Path]) -> dict[str, int]:
    """Return the sizes of results by their paths below `out`; results elsewhere are not kept account of."""
    return {path.relative_to(out).as_posix(): path.stat().st_size for path in files if path.is_relative_to(out)}


def _read(path: Path) -> list[Entry]:
    if not path.exists():
        return []
    entries = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise InvalidOption(f"{path} cannot be read: {problem.strerror}") from None
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):  # a line cut off by a full disk: made once more
            entries.append(_entry(json.loads(line)))
    return entries


def _entry(values: dict[str, Any]) -> Entry:
    words = {key: tuple(values.get(key, ())) for key in ("warnings", "doubts")}
    return Entry(**{**values, **words, "thumbnail": thumbnail_from_dict(values["thumbnail"])})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
