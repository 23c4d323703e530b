"""Photos and the files made of them: found, named by rule, written aside and renamed, never over an input."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.common.errors import InvalidImage, InvalidOption
from services.common.receipts import receipt_to_dict
from unflat.v1 import orchestrator_pb2 as pb

PICTURES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif",
    ".hif", ".avif", ".jp2", ".ppm",
}  # fmt: skip
# Folders of thumbnails and of what was thrown away, beside hidden ones: Synology, QNAP, Windows.
NOT_PHOTOS = {"@eadir", "#recycle", "@recycle", "$recycle.bin", "__macosx"}
MOST_NAME_BYTES = 255  # of one name, on nearly every file system
_ROOM_BYTES = 48  # for what results add to a stem: words, numbers, suffixes


@dataclass(frozen=True)
class PhotoItem:
    """One photo to work on, where its results go, and all files that are read and so never written.

    Attributes:
        photo: the file.
        folder: where its results go.
        stem: what they are named after.
        root: the folder of all results; `folder` is it or lies below.
        inputs: files never to be written, as `_key` says them.
    """

    photo: Path
    folder: Path
    stem: str
    root: Path
    inputs: frozenset[str] = frozenset()

    @property
    def place(self) -> Path:
        """The photo's name with the folders that its results keep below `root`."""
        return self.folder.relative_to(self.root) / self.photo.name

    def output(self, suffix: str, word: str = "made") -> Path:
        """Return `<folder>/<stem><suffix>`, with `-word` before the suffix where that would be one of the inputs."""
        return self.beside(self.folder / f"{self.stem}{suffix}", word)

    def beside(self, target: Path, word: str = "made") -> Path:
        """Return `target`, with `-word` before the suffix where that would be one of the inputs."""
        return _keep(target, self.inputs, word)


@dataclass(frozen=True)
class PhotoOutputs:
    """What is made of one photo.

    Attributes:
        receipt: of the request.
        files: contents by path, not yet written.
        mask: as a grey PNG; empty where none was asked for.
    """

    receipt: pb.Receipt
    files: dict[Path, bytes]
    mask: bytes = b""


def find_items(
    inputs: Sequence[Path], out: Path, also_read: Sequence[Path] = (), earlier_results: Collection[Path] = ()
) -> list[PhotoItem]:
    """Return the photos named, and those in folders named with their structure kept below `out`.

    Args:
        inputs: photos and folders of photos.
        out: folder of the results; where it lies inside a folder of photos, what is in it is no photo.
        also_read: other files that must not be written over, such as a mask.
        earlier_results: of earlier runs; where they lie between the photos they are none.

    A file that does not exist is an item too: it fails under its own name while the others are finished. Photos of one
    folder whose names differ in their suffix only get results named apart: `mug-jpg`, `mug-png`.

    Raises:
        InvalidOption: there is not one item.
    """
    items: list[PhotoItem] = []
    ours = {_key(path) for path in earlier_results}
    for given in inputs:
        if given.is_dir():
            found = [
                path for path in sorted(given.rglob("*")) if _is_photo(path, given, out) and _key(path) not in ours
            ]
            items += [PhotoItem(path, out / path.parent.relative_to(given), _short(path.stem), out) for path in found]
        else:
            items.append(PhotoItem(given, out, _short(given.stem), out))
    if not items:
        raise InvalidOption(f"no pictures in {', '.join(map(str, inputs))}")
    read = frozenset(_key(path) for path in [*(item.photo for item in items), *also_read])
    shared = Counter(_named(item) for item in items)
    return [
        replace(item, inputs=read, stem=_stem_apart(item) if shared[_named(item)] > 1 else item.stem) for item in items
    ]


def colliding(items: Iterable[PhotoItem], results: Mapping[Path, Sequence[Path]] | None = None) -> dict[Path, Path]:
    """Return photos whose results would have the names of an earlier one's, with that one.

    Args:
        items: the photos.
        results: by photo, the files it will be given; else its stem stands for them.
    """
    first: dict[str, Path] = {}
    clashes: dict[Path, Path] = {}
    for item in items:
        names = [str(path).casefold() for path in results[item.photo]] if results else [_named(item)]
        taken = next((first[name] for name in names if name in first), None)
        if taken is not None:
            clashes[item.photo] = taken
            continue
        first |= dict.fromkeys(names, item.photo)
    return clashes


def keep_inputs(target: Path, inputs: Iterable[Path], word: str) -> Path:
    """Return `target`, or the same with `-word` before its suffix where it would be one of the inputs."""
    return _keep(target, frozenset(map(_key, inputs)), word)


def read_photo(photo: Path) -> bytes:
    """Return the bytes of a photo.

    Raises:
        InvalidImage: it cannot be read.
    """
    try:
        return photo.read_bytes()
    except OSError as problem:
        raise InvalidImage(f"cannot be read: {problem.strerror}") from None


def receipt_json(receipt: pb.Receipt) -> bytes:
    """Return a receipt as a file."""
    return (json.dumps(receipt_to_dict(receipt), indent=1, ensure_ascii=False) + "\n").encode()


def debug_files(folder: Path | None, item: PhotoItem, pictures: Mapping[str, bytes]) -> dict[Path, bytes]:
    """Return the pictures of the steps between by path; none without a folder."""
    if folder is None:
        return {}
    aside = replace(item, folder=folder)
    return {aside.output(f"-{name}.png", "debug"): png for name, png in pictures.items()}


def write_all(files: Mapping[Path, bytes]) -> list[Path]:
    """Write every file and return their paths.

    Raises:
        InvalidOption: one cannot be written.
    """
    for path, data in files.items():
        try:
            _write(path, data)
        except OSError as problem:
            raise InvalidOption(f"{path} cannot be written: {problem.strerror}") from None
    return list(files)


def is_picture(path: Path) -> bool:
    """Tell whether the name is that of a picture, and not a hidden file such as macOS sets beside each."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".")


def left_out(inputs: Sequence[Path]) -> list[Path]:
    """Return pictures below the folders named that are no photos: in hidden, thumbnail and waste folders."""
    folders = [given for given in inputs if given.is_dir()]
    return [
        path
        for given in folders
        for path in sorted(given.rglob("*"))
        if path.suffix.lower() in PICTURES and _is_aside(path.relative_to(given)) and path.is_file()
    ]


def _write(target: Path, data: bytes) -> None:
    """Write `data` to `target` in one piece: aside first, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".unflat-{os.getpid()}-{threading.get_ident()}.part")  # the name itself may be full
    try:
        aside.write_bytes(data)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _is_photo(path: Path, given: Path, out: Path) -> bool:
    if not is_picture(path) or _is_aside(path.relative_to(given)) or not path.is_file():
        return False
    out_is_inside = out.resolve() != given.resolve() and out.resolve().is_relative_to(given.resolve())
    return not (out_is_inside and path.resolve().is_relative_to(out.resolve()))


def _is_aside(path: Path) -> bool:
    """Tell whether a folder on the way is hidden, or keeps thumbnails or what was thrown away."""
    return any(name.startswith(".") or name.lower() in NOT_PHOTOS for name in path.parent.parts)


def _short(stem: str) -> str:
    """Return a stem to which suffixes can be added; what is cut off a long one stands for it as eight digits."""
    name = os.fsencode(stem)
    if len(name) <= MOST_NAME_BYTES - _ROOM_BYTES:
        return stem
    kept = name[: MOST_NAME_BYTES - _ROOM_BYTES - 9].decode("utf-8", "ignore")
    return f"{kept}-{hashlib.sha256(name).hexdigest()[:8]}"


def _stem_apart(item: PhotoItem) -> str:
    return f"{item.stem}-{item.photo.suffix.removeprefix('.').lower()}"


def _named(item: PhotoItem) -> str:
    return str(item.folder / item.stem).casefold()


def _keep(target: Path, inputs: frozenset[str], word: str) -> Path:
    while _key(target) in inputs:
        target = target.with_name(f"{target.stem}-{word}{target.suffix}")
    return target


def _key(path: Path) -> str:
    """Return what two names of one file have in common, also where upper and lower case are the same name."""
    return str(path.resolve()).casefold()
