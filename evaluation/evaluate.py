"""One run over a data set: make, write, score and draw each item, a few side by side; then gather."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evaluation.in_process import make_in_process
from evaluation.item_figures import ItemFigures, score_item
from evaluation.outputs import Outputs, write_outputs
from evaluation.report.pictures import Tile, tiles_of
from evaluation.requests import Plan
from evaluation.sets import Item

Maker = Callable[[Item, Plan], Outputs]
PICTURED_MASKS = ("raw", "refined", "fused", "final")
PICTURED_MESHES = ("raw", "final")


@dataclass(frozen=True)
class Evaluated:
    """One item when all is done: its figures and its pictures."""

    figures: ItemFigures
    tiles: tuple[Tile, ...]


def evaluate_set(
    items: Sequence[Item],
    plan: Plan,
    *,
    out: Path | None = None,
    make: Maker = make_in_process,
    jobs: int = 1,
    with_alignment: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Evaluated]:
    """Return the figures and pictures of every item, in order.

    Args:
        items: of one set.
        plan: what is made of each.
        out: folder for masks, depth and meshes; None writes and draws nothing.
        make: how it is made; must be picklable for more than one job.
        jobs: items side by side, each in a process of its own.
        with_alignment: look for the best rotation of each mesh too, which takes most of the scoring's time.
        tell: told a line for each item that is done.
    """
    evaluate = partial(_evaluate, plan=plan, out=out, make=make, with_alignment=with_alignment)
    done: list[Evaluated] = []
    with ProcessPoolExecutor(jobs, initializer=_one_thread) if jobs > 1 else nullcontext() as pool:
        for evaluated in map(evaluate, items) if pool is None else pool.map(evaluate, items):
            done.append(evaluated)
            tell(_line(evaluated.figures, len(done), len(items)))
    return done


def _evaluate(item: Item, plan: Plan, out: Path | None, make: Maker, with_alignment: bool) -> Evaluated:
    plan = plan.for_item(item)
    outputs = make(item, plan)
    figures = score_item(item, outputs, plan.mask_variants, with_alignment=with_alignment)
    if out is None:
        return Evaluated(figures, ())
    write_outputs(out, item.name, outputs)
    return Evaluated(figures, tuple(tiles_of(item, outputs, PICTURED_MASKS, PICTURED_MESHES)))


def _one_thread() -> None:
    """Keep a job to one core: several jobs with all cores each only wait for one another."""
    import cv2

    cv2.setNumThreads(1)


def _line(figures: ItemFigures, number: int, count: int) -> str:
    parts = [f"{number}/{count} {figures.name}"]
    for variant in ("raw", "final"):
        value = figures.masks.get(variant, {}).get("iou")
        if value is not None:
            parts.append(f"{variant} IoU {value:.3f}")
    mesh = figures.meshes.get("final", {})
    reach = mesh.get("f@0.1_aligned", mesh.get("f@0.1"))
    if reach is not None:
        parts.append(f"mesh F@0.1 {reach:.3f}")
    if figures.failures:
        parts.append("failed: " + "; ".join(f"{what}: {why}" for what, why in figures.failures.items()))
    return "  ".join(parts)
