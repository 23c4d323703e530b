"""The figures of one item: every mask against the exact one, every mesh against the exact mesh."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evaluation.made import Made, read_alpha
from evaluation.mask_metrics import Metrics, Soft, score_mask
from evaluation.mesh_metrics import ExactMesh, describe_shape, score_mesh
from evaluation.sets import Item
from evaluation.surface import read_surface, to_unit_sphere


@dataclass(frozen=True)
class ItemFigures:
    """The figures of one item by way; an empty mask stands for one that could not be made."""

    name: str
    tags: tuple[str, ...]
    masks: dict[str, Metrics] = field(default_factory=dict)
    meshes: dict[str, Metrics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def score_item(item: Item, made: Made, mask_ways: tuple[str, ...], *, with_alignment: bool = True) -> ItemFigures:
    """Return all figures of an item that its truth allows.

    A mask that failed counts as empty, so that a way that fails does not look better for it; a mesh that failed has no
    figures, and its reason stands in `failures`.
    """
    alpha = None if item.truth is None else np.asarray(read_alpha(item.truth.read_bytes()), dtype=np.float64)
    masks: dict[str, Metrics] = {}
    if alpha is not None:
        for way in mask_ways:
            values = made.masks.get(way)
            if values is None and not made.has_failed("mask", way):
                continue
            guess: Soft = np.zeros_like(alpha) if values is None else values.astype(np.float64) / 255.0
            masks[way] = score_mask(alpha, guess)
    meshes = _score_meshes(item, made, alpha, with_alignment)
    return ItemFigures(item.name, item.tags, masks, meshes, dict(made.notes), dict(made.failures))


def _score_meshes(item: Item, made: Made, alpha: Soft | None, with_alignment: bool) -> dict[str, Metrics]:
    if item.mesh is None:
        surfaces = {way: to_unit_sphere(read_surface(data)) for way, data in made.meshes.items()}
        return {way: describe_shape(surface) for way, surface in surfaces.items()}
    truth = ExactMesh(read_surface(item.mesh), item.meta, alpha)
    return {
        way: score_mesh(truth, read_surface(data), with_alignment=with_alignment) for way, data in made.meshes.items()
    }
