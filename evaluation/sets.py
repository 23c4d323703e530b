"""Data sets: items with a photo and whatever is known about it.

Four layouts are read, told apart by what lies in the folder:

    scenes   ITEM/photo.jpg, alpha.png, meta.json; mesh.ply, inverse_depth.npz and alpha_network.png where there
    photos   NAME.jpg with NAME.mask.png or NAME.alpha.png; NAME.isnet.png where there; index.json with tags where there
    pairs    photos/NAME.jpg with masks/NAME.png; meshes/NAME.glb (.ply, .obj) where there
    objects  ITEM/meshes/model.obj with ITEM/thumbnails/0.jpg (Google Scanned Objects): a mesh without camera or mask
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from services.common.arrays import Alpha
from services.common.photos.decoding import decode_mask

FIXED = Path(__file__).parent / "fixed"
"""The committed set: eight small scenes."""

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
MESH_ENDINGS = (".glb", ".ply", ".obj", ".stl")
TRUTH_NAMES = ("{stem}.mask.png", "{stem}.alpha.png")
SUPPLIED_MASKS = ("alpha_network.png", "{stem}.isnet.png")
SUPPLIED_DEPTHS = ("inverse_depth.npz", "{stem}.depth.npz", "{stem}.depth.png")

Meta: TypeAlias = dict[str, Any]
"""A scene's meta.json: image size, camera, placement of the mesh, tags."""


@dataclass(frozen=True)
class Item:
    """One photo and what is known about it; None where nothing is.

    Attributes:
        name: unique in the set; output files are named after it.
        photo: an encoded picture.
        truth: the exact alpha or mask.
        mask: what a network said, supplied.
        depth: inverse depth (larger is nearer), supplied.
        mesh: the exact mesh.
        meta: camera and placement of the mesh.
        tags: what kind of case it is.
    """

    name: str
    photo: Path
    truth: Path | None = None
    mask: Path | None = None
    depth: Path | None = None
    mesh: Path | None = None
    meta: Meta | None = None
    tags: tuple[str, ...] = ()


def open_set(folder: Path, masks: str = "auto", depth: str = "auto", limit: int | None = None) -> list[Item]:
    """Return the items of a folder, in the order of their names.

    Args:
        folder: in one of the layouts above.
        masks: a file name beside the photo, `{stem}` the item's name, that holds the supplied mask; "auto" takes the
            usual names. Anything else (a backend's name) supplies none.
        depth: the same for depth; "off" supplies none.
        limit: at most so many items, spread evenly over the set.
    Raises:
        ValueError: there is nothing to evaluate, or the named masks or depths are nowhere.
    """
    found = [_supply(item, masks, depth) for item in _read(folder)]
    if not found:
        raise ValueError(f"{folder} holds no data set; wanted one of the layouts scenes, photos, pairs, objects")
    for option, pattern, kept in (
        ("--masks", masks, [i.mask for i in found]),
        ("--depth", depth, [i.depth for i in found]),
    ):
        if is_pattern(pattern) and not any(kept):
            raise ValueError(f"{option} {pattern!r} names no file in {folder}")
    if limit is not None and limit < len(found):
        found = [found[k * len(found) // limit] for k in range(limit)]
    return found


def read_mask(path: Path) -> Alpha:
    """Return a mask's file as (H, W) float32 in [0, 1]."""
    return decode_mask(path.read_bytes())


def is_pattern(text: str) -> bool:
    """Tell whether `text` names files, rather than a backend."""
    return ":" not in text and Path(text).suffix.lower() in (*PHOTO_ENDINGS, ".npz")


def _read(folder: Path) -> Iterator[Item]:
    if (folder / "photos").is_dir() and (folder / "masks").is_dir():
        yield from _read_pairs(folder)
        return
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    tags = _tags_of_index(folder)
    for path in children:
        if (path / "meshes" / "model.obj").exists():
            yield from _read_object(path)
        elif path.is_dir():
            yield from _read_scene(path)
        elif path.suffix.lower() in PHOTO_ENDINGS and "." not in path.stem:
            truth = _first(path.parent, TRUTH_NAMES, path.stem)
            if truth is not None:
                yield Item(path.stem, path, truth, mesh=_mesh_of(folder, path.stem), tags=tags.get(path.stem, ()))


def _read_scene(folder: Path) -> Iterator[Item]:
    photo = next((folder / f"photo{end}" for end in PHOTO_ENDINGS if (folder / f"photo{end}").exists()), None)
    if photo is None:
        return
    path = folder / "meta.json"
    meta: Meta = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    mesh, truth = folder / "mesh.ply", folder / "alpha.png"
    yield Item(
        folder.name,
        photo,
        truth if truth.exists() else None,
        mesh=mesh if mesh.exists() else None,
        meta=meta if "camera" in meta and "mesh_to_camera" in meta else None,
        tags=tuple(meta.get("tags", ())),
    )


def _read_pairs(folder: Path) -> Iterator[Item]:
    for photo in sorted((folder / "photos").iterdir()):
        truth = folder / "masks" / f"{photo.stem}.png"
        if photo.suffix.lower() in PHOTO_ENDINGS and truth.exists():
            yield Item(photo.stem, photo, truth, mesh=_mesh_of(folder / "meshes", photo.stem))


def _read_object(folder: Path) -> Iterator[Item]:
    pictures = sorted((folder / "thumbnails").glob("*.jpg"))
    if pictures:
        yield Item(folder.name, pictures[0], mesh=folder / "meshes" / "model.obj")


def _supply(item: Item, masks: str, depth: str) -> Item:
    mask_names = SUPPLIED_MASKS if masks == "auto" else (masks,) if is_pattern(masks) else ()
    depth_names = SUPPLIED_DEPTHS if depth == "auto" else (depth,) if is_pattern(depth) else ()
    beside = item.photo.parent
    return replace(item, mask=_first(beside, mask_names, item.name), depth=_first(beside, depth_names, item.name))


def _first(folder: Path, names: tuple[str, ...], stem: str) -> Path | None:
    paths = (folder / name.replace("{stem}", stem).replace("{item}", stem) for name in names)
    return next((path for path in paths if path.exists()), None)


def _mesh_of(folder: Path, stem: str) -> Path | None:
    return _first(folder, tuple(f"{{stem}}{end}" for end in MESH_ENDINGS), stem)


def _tags_of_index(folder: Path) -> dict[str, tuple[str, ...]]:
    path = folder / "index.json"
    if not path.exists():
        return {}
    index = json.loads(path.read_text(encoding="utf-8"))
    return {name: tuple(row.get("tags", ())) for name, row in index.items() if isinstance(row, dict)}
