"""TripoSR beside its official code path, picture to mesh, and the surface alone; random weights that show a body."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory import apart, peak_mb
from bench.random_triposr import LEVEL, body_decoder, body_scene_code, write_random
from bench.section import Section
from bench.timing import Spread, measure
from services.common.arrays import Float
from services.mesher.extract import extract_surface, keep_real_parts
from services.mesher.extract.cell_triangles import CORNERS
from services.mesher.extract.coarse_to_fine import Grid, find_surface_cells

RESOLUTION = 256
GROWTH = (256, 512, 1024)
BODIES = ("bumps", "ring", "bead")


@dataclass(frozen=True)
class _Run:
    """What one process measured; memory in MB over what was there before loading."""

    forward: Spread
    surface: Spread
    load_mb: float
    peak_mb: float
    scene_code: Float
    inside: Float  # raw density at fixed random points

    @property
    def whole_s(self) -> float:
        return self.forward.median + self.surface.median


def compare_triposr(runs: int) -> Section:
    """Return time and memory of a whole picture → mesh at 256³; each variant in a process of its own."""
    from services.mesher.triposr.convert import convert

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        apart(write_random, folder)  # a child's peak memory begins at its parent's
        size_mb = (folder / "model.ckpt").stat().st_size / 2**20
        variants = {
            "reference, attention written out": apart(_run_reference, folder, runs, False),
            "reference, fused attention in the backbone": apart(_run_reference, folder, runs, True),
        }
        for precision in ("float32", "bfloat16"):
            apart(convert, folder, precision)
        variants |= {
            "ours, float32": apart(_run_ours, folder, runs, "float32"),
            "ours, bfloat16": apart(_run_ours, folder, runs, "bfloat16"),
        }
    reference = variants["reference, fused attention in the backbone"]
    rows = [_row(name, variant, reference, size_mb) for name, variant in variants.items()]
    return Section(
        title="TripoSR against its official code path, picture to mesh",
        method=f"512 × 512 px in, {RESOLUTION} points an axis, {os.cpu_count()} threads, full size, random weights "
        f"that show a body; each row in a process of its own, medians of {runs} runs. At load: most that loading "
        f"added, mapped files included, in sizes of the weights ({size_mb:.0f} MB). Code: relative error of the scene "
        "code; side: random points in the cube that change side; all against the reference with fused attention. How "
        "bfloat16 behaves on trained weights is another matter.",
        columns=(
            "variant",
            "forward s",
            "surface s",
            "whole s",
            "times faster",
            "at load",
            "peak MB",
            "scene code",
            "side",
        ),
        rows=tuple(rows),
        ratios={
            f"TripoSR against the reference, picture to mesh: {name.removeprefix('ours, ')}": reference.whole_s
            / variant.whole_s
            for name, variant in variants.items()
            if name.startswith("ours")
        },
    )


def compare_extraction() -> Section:
    """Return points, CPU time and cells missed against the dense grid, and how the cost grows."""
    rows: list[tuple[str, ...]] = []
    ratios = {}
    decoder = body_decoder()
    for name in BODIES:
        field = _field(name, decoder)
        begin = time.process_time()
        dense = _dense(field)
        dense_s = time.process_time() - begin
        cells = find_surface_cells(field.density, LEVEL, Grid(RESOLUTION, field.radius)).cells
        missed = len(_mixed(dense) - {tuple(cell) for cell in (cells - 1).tolist()})
        rows.append((f"{name}, dense, {RESOLUTION}", f"{RESOLUTION**3:,}", "1", f"{dense_s:.1f}", "1", "", ""))
        first = 0.0
        for resolution in GROWTH if name == "bumps" else GROWTH[:1]:
            points, seconds = _extract(field, resolution)
            first = first or seconds
            fewer, faster = f"{resolution**3 / points:.0f}", f"{dense_s / seconds:.0f}" if resolution == 256 else ""
            told = str(missed) if resolution == RESOLUTION else ""
            row = (f"{name}, ours, {resolution}", f"{points:,}", fewer, f"{seconds:.2f}", faster, told)
            rows.append((*row, f"{seconds / first:.1f}"))
        ratios[f"surface against the dense grid, CPU time: {name}"] = dense_s / _extract(field, RESOLUTION)[1]
    return Section(
        title="Surface from coarse to fine against the dense grid",
        method="Bodies in scene codes of the official size, read by a decoder of the official size: a ball with bumps, "
        "a thin ring, and that ring with a bead within it. CPU seconds, one run, marching cubes and parts included in "
        "ours, not in dense. Missed: surface cells of the dense grid that ours does not visit.",
        columns=("body, method, resolution", "points", "times fewer", "CPU s", "times less", "missed", "of 256's time"),
        rows=tuple(rows),
        ratios=ratios,
    )


def _row(name: str, variant: _Run, reference: _Run, size_mb: float) -> tuple[str, ...]:
    error = float(np.linalg.norm(variant.scene_code - reference.scene_code) / np.linalg.norm(reference.scene_code))
    side = float(np.mean((variant.inside > LEVEL) != (reference.inside > LEVEL)))
    seconds = (f"{variant.forward.median:.2f}", f"{variant.surface.median:.2f}", f"{variant.whole_s:.2f}")
    faster, memory = f"{reference.whole_s / variant.whole_s:.1f}", f"{variant.load_mb / size_mb:.2f}"
    return name, *seconds, faster, memory, f"{variant.peak_mb:.0f}", f"{error:.1e}", f"{side:.2%}"


def _run_reference(folder: Path, runs: int, fused: bool) -> _Run:
    from bench.reference.reference_triposr import ReferenceTripoSR

    before = peak_mb()
    network = ReferenceTripoSR(folder, fused)
    load = peak_mb() - before
    image = _picture()
    code = network.scene_code(image)
    forward = measure(lambda: network.scene_code(image), runs, warm_up=0)
    surface = measure(lambda: network.mesh(code, RESOLUTION), runs, warm_up=0)
    density = np.log(network.query(code, _points())[0].numpy()) + 1
    return _Run(forward, surface, load, peak_mb() - before, code.numpy(), density)


def _run_ours(folder: Path, runs: int, precision: Any) -> _Run:
    import torch

    from services.mesher.triposr.model import TripoSR

    before = peak_mb()
    network = TripoSR.from_checkpoint(folder, "cpu", precision)
    load = peak_mb() - before
    image = _picture()
    field = network.reconstruct(image)

    def surface() -> None:
        found = extract_surface(field.density, LEVEL, RESOLUTION, field.radius)
        vertices, _, _ = keep_real_parts(found.vertices, found.faces)
        field.colour(np.clip(vertices, -field.radius, field.radius))

    forward = measure(lambda: network.reconstruct(image), runs, warm_up=0)
    seconds = measure(surface, runs, warm_up=0)
    with torch.inference_mode():
        code = network(image)[0].numpy()
    return _Run(forward, seconds, load, peak_mb() - before, code, field.density(_points().numpy()))


def _picture() -> Any:
    import torch

    return torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(5))


def _points() -> Any:
    import torch

    return torch.rand(20_000, 3, generator=torch.Generator().manual_seed(6)) * 1.74 - 0.87


def _field(name: str, decoder: Any) -> Any:
    from services.mesher.triposr.query import SceneField

    return SceneField(body_scene_code(name), decoder, 0.87)


def _extract(field: Any, resolution: int) -> tuple[int, float]:
    """Return how many points were asked for, and CPU seconds."""
    begin = time.process_time()
    found = extract_surface(field.density, LEVEL, resolution, field.radius)
    keep_real_parts(found.vertices, found.faces)
    return found.evaluations, time.process_time() - begin


def _dense(field: Any) -> Float:
    """Return the raw density on the whole grid, x slowest, a slab at a time."""
    axis = np.linspace(-field.radius, field.radius, RESOLUTION)
    slab = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    values = [field.density(np.column_stack([np.full(len(slab), x), slab])) for x in axis]
    return np.asarray(np.stack(values).reshape((RESOLUTION,) * 3), np.float32)


def _mixed(values: Float) -> set[tuple[int, ...]]:
    """Return the lower corners of the cells whose corners lie on both sides of the level."""
    n, inside = len(values) - 1, values > LEVEL
    count = sum(inside[x : x + n, y : y + n, z : z + n].astype(np.uint8) for x, y, z in CORNERS)
    return {tuple(cell) for cell in np.argwhere((count > 0) & (count < 8)).tolist()}
