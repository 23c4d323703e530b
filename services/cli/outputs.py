"""Where results go: named by rule, written aside and renamed, never over an input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.common.errors import InvalidOption

PICTURES = {
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jp2", ".ppm",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One photo to work on, the folder its results go to, and all files that are read and so never written."""

    photo: Path
    folder: Path
    inputs: frozenset[Path] = frozenset()

    def output(self, suffix: str, word: str = "made") -> Path:
        """Return `<folder>/<stem><suffix>`, with `-word` before the suffix where that would be one of the inputs."""
        return keep_inputs(self.folder / f"{self.photo.stem}{suffix}", {self.photo, *self.inputs}, word)


def find_items(inputs: Sequence[Path], out: Path, also_read: Sequence[Path] = ()) -> list[Item]:
    """Return the photos named, and those in folders named with their structure kept below `out`.

    Args:
        inputs: photos and folders of photos.
        out: folder of the results.
        also_read: other files that must not be written over, such as a mask.

    A file that does not exist is an item too: it fails under its own name while the others are finished.

    Raises:
        InvalidOption: there is not one item.
    """
    items: list[Item] = []
    for given in inputs:
        if given.is_dir():
            found = sorted(p for p in given.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
            items += [Item(path, out / path.parent.relative_to(given)) for path in found]
        else:
            items.append(Item(given, out))
    if not items:
        raise InvalidOption(f"no pictures in {', '.join(map(str, inputs))}")
    read = frozenset([*(item.photo for item in items), *also_read])
    return [replace(item, inputs=read) for item in items]


def colliding(items: Iterable[Item]) -> dict[Path, Path]:
    """Return photos whose results would have the names of an earlier one's, with that one."""
    first: dict[Path, Path] = {}
    clashes: dict[Path, Path] = {}
    for item in items:
        name = item.folder / item.photo.stem
        if name in first:
            clashes[item.photo] = first[name]
        else:
            first[name] = item.photo
    return clashes


def keep_inputs(target: Path, inputs: Iterable[Path], word: str) -> Path:
    """Return `target`, or the same with `-word` before its suffix where it would be one of the inputs."""
    resolved = target.resolve()
    if any(resolved == given.resolve() for given in inputs):
        return target.with_name(f"{target.stem}-{word}{target.suffix}")
    return target


def write(target: Path, data: bytes) -> None:
    """Write `data` to `target` in one piece: aside first, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(data)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
