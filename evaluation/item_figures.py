"""The figures of one item: every mask against the exact one, every mesh against the exact mesh."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evaluation.metrics.mask_metrics import Metrics, Soft, score_mask
from evaluation.metrics.mesh_metrics import ExactMesh, describe_shape, score_mesh
from evaluation.metrics.mesh_surface import read_surface, to_unit_sphere
from evaluation.outputs import Outputs
from evaluation.sets import Item, read_mask


@dataclass(frozen=True)
class ItemFigures:
    """The figures of one item by variant; an empty mask stands for one that could not be made."""

    name: str
    tags: tuple[str, ...]
    masks: dict[str, Metrics] = field(default_factory=dict)
    meshes: dict[str, Metrics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def score_item(
    item: Item, outputs: Outputs, mask_variants: tuple[str, ...], *, with_alignment: bool = True
) -> ItemFigures:
    """Return all figures of an item that its truth allows.

    A mask that failed counts as empty, so that its variant does not look better for it; a failed mesh has no figures,
    and its reason stands in `failures`.
    """
    alpha = None if item.truth is None else np.asarray(read_mask(item.truth), dtype=np.float64)
    masks: dict[str, Metrics] = {}
    if alpha is not None:
        for variant in mask_variants:
            values = outputs.masks.get(variant)
            if values is None and not outputs.has_failed("mask", variant):
                continue
            guess: Soft = np.zeros_like(alpha) if values is None else values.astype(np.float64) / 255.0
            masks[variant] = score_mask(alpha, guess)
    meshes = _score_meshes(item, outputs, alpha, with_alignment)
    return ItemFigures(item.name, item.tags, masks, meshes, dict(outputs.notes), dict(outputs.failures))


def _score_meshes(item: Item, outputs: Outputs, alpha: Soft | None, with_alignment: bool) -> dict[str, Metrics]:
    if item.mesh is None:
        surfaces = {variant: to_unit_sphere(read_surface(data)) for variant, data in outputs.meshes.items()}
        return {variant: describe_shape(surface) for variant, surface in surfaces.items()}
    truth = ExactMesh(read_surface(item.mesh), item.meta, alpha)
    return {
        variant: score_mesh(truth, read_surface(data), with_alignment=with_alignment)
        for variant, data in outputs.meshes.items()
    }
