"""Does a mesh gain when its front follows depth? Exact meshes with damaged fronts, before and after.

    python -m evaluation.depth_relief [--set evaluation/fixed] [--limit N]

Every mesh is taken as it is and with its seen side damaged in three ways, and follows the simulated depth of its scene,
the exact depth, or useless ones: constant, inverted, of another scene. Both meshes stay in the exact mesh's own place,
of bounding radius 1; distances are means both ways between 10,000 points, F the one at 0.05.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation.camera_view import hidden_from_camera
from evaluation.made import read_alpha
from evaluation.sets import Item, Meta, open_set
from evaluation.surface import Surface, nearest_distances, read_surface, sample
from services.common.arrays import Alpha, InverseDepth, Points
from services.common.photos.decoding import decode_depth
from services.mesher.depth_relief import follow_depth
from services.mesher.geometry.camera import Camera
from services.mesher.geometry.mesh import Mesh, vertex_normals
from services.orchestrator.framing import FramingOptions, frame_subject

FIXED = Path(__file__).parent / "fixed"
LONGEST_EDGE = 0.05  # exact meshes are thinned out; a damage needs vertices
REACH = 0.05
VIEW_CELLS = 48  # a cell of the view must hold a vertex, or what is hidden counts as seen
DEPTHS = ("exact", "simulated", "constant", "inverted", "foreign")


@dataclass(frozen=True)
class Figures:
    """Distances of one mesh to the exact one."""

    chamfer: float
    f: float


@dataclass(frozen=True)
class Outcome:
    """One mesh under one damage with one depth."""

    damage: str
    depth: str
    before: Figures
    after: Figures
    note: str


def dent(points: Points, facing: Points, seed: int) -> Points:
    """Return (n,) how far each point of the front goes back: one hollow, 0.2 deep and some 0.3 wide."""
    rng = np.random.default_rng(seed)
    front = np.flatnonzero(facing > 0.6) if (facing > 0.6).any() else np.arange(len(points))
    centre = points[rng.choice(front)]
    return np.asarray(0.2 * np.exp(-((points - centre)[:, :2] ** 2).sum(axis=1) / (2 * 0.12**2)))


def lumps(points: Points, facing: Points, seed: int) -> Points:
    """Return the same for a front uneven by waves of random direction, 0.08 high."""
    del facing
    rng = np.random.default_rng(seed)
    waves = [np.sin(points @ rng.normal(0, 5, 3) + rng.uniform(0, 6)) for _ in range(4)]
    return np.asarray(0.04 * np.sum(waves, axis=0))


def flatten(points: Points, facing: Points, seed: int) -> Points:
    """Return the same for a front whose nearer half is pressed to half its height."""
    del seed
    z = points[:, 2]
    middle = float(np.median(z[facing > 0])) if (facing > 0).any() else 0.0
    return np.asarray(0.5 * np.maximum(z - middle, 0.0))


DAMAGES: dict[str, Callable[[Points, Points, int], Points] | None] = {
    "none": None,
    "dent": dent,
    "lumps": lumps,
    "flatten": flatten,
}


def measure(item: Item, other: InverseDepth, seed: int, damages: Sequence[str] = tuple(DAMAGES)) -> list[Outcome]:
    """Return the outcome of every damage and depth on one scene; `other` is the depth of another."""
    assert item.truth and item.mesh and item.meta and item.depth
    truth = _dense(read_surface(item.mesh))
    alpha = read_alpha(item.truth.read_bytes())
    simulated = _fit(decode_depth(item.depth.read_bytes()), alpha)
    exact = _exact_depth(item, alpha)
    depths = {
        "exact": exact,
        "simulated": simulated,
        "constant": np.ones_like(alpha),
        "inverted": np.asarray(np.nanmax(simulated) - simulated, np.float32),
        "foreign": _fit(other, alpha),
    }
    target = sample(truth)
    outcomes = []
    for name in damages:
        damage = DAMAGES[name]
        broken = truth if damage is None else _damaged(truth, item.meta, damage, seed)
        before = _compare(target, broken)
        for kind in DEPTHS:
            mesh = Mesh(broken.vertices, broken.faces.astype(np.int32))
            followed = _follow(mesh, depths[kind], alpha, item.meta)
            moved = followed.vertices is not mesh.vertices
            after = _compare(target, Surface(followed.vertices, broken.faces)) if moved else before
            outcomes.append(Outcome(name, kind, before, after, followed.notes[-1]))
    return outcomes


def damaged_and_followed(item: Item, damage: str, seed: int) -> tuple[Mesh, Mesh, Mesh]:
    """Return an exact mesh, the same damaged, and that after it followed the exact depth, for a picture."""
    assert item.truth and item.mesh and item.meta
    truth, alpha = _dense(read_surface(item.mesh)), read_alpha(item.truth.read_bytes())
    harm = DAMAGES[damage]
    assert harm is not None
    broken = _damaged(truth, item.meta, harm, seed)
    exact, dented = (Mesh(found.vertices, found.faces.astype(np.int32)) for found in (truth, broken))
    return exact, dented, _follow(dented, _exact_depth(item, alpha), alpha, item.meta)


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the means as a table; "most" is the largest rise of the distance on one scene."""
    lines = [
        "| damage | depth | distance before | after | F@0.05 before | after | worse by at most | moved |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for damage in DAMAGES:
        for depth in DEPTHS:
            found = [o for o in outcomes if (o.damage, o.depth) == (damage, depth)]
            if not found:
                continue
            means = [
                float(np.mean([getattr(getattr(o, when), name) for o in found]))
                for name in ("chamfer", "f")
                for when in ("before", "after")
            ]
            most = max(0.0, *(o.after.chamfer - o.before.chamfer for o in found))
            moved = sum("moved" in o.note for o in found)
            cells = [f"{means[0]:.4f}", f"{means[1]:.4f}", f"{means[2]:.3f}", f"{means[3]:.3f}", f"{most:.4f}"]
            lines.append(f"| {damage} | {depth} | {' | '.join(cells)} | {moved} of {len(found)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Print the table for a folder of scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, default=FIXED, help="folder of scenes")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args(argv)
    items = [i for i in open_set(options.set, limit=options.limit) if i.mesh and i.meta and i.depth and i.truth]
    if not items:
        parser.error(f"{options.set} holds no scene with mesh, camera and depth")
    others = [decode_depth(item.depth.read_bytes()) for item in items if item.depth]
    outcomes = []
    for number, item in enumerate(items):
        outcomes += measure(item, others[(number + 1) % len(items)], seed=number)
        print(item.name, flush=True)
    print(as_markdown(outcomes))
    return 0


def _follow(mesh: Mesh, depth: InverseDepth, alpha: Alpha, meta: Meta) -> Mesh:
    grey = np.zeros((*alpha.shape, 3), np.uint8)
    frame = frame_subject(grey, alpha, depth, FramingOptions(focal_px=float(meta["camera"]["fx"])))
    assert frame.depth is not None
    cover = frame.rgba[..., 3].astype(np.float32) / np.float32(255)
    return follow_depth(mesh, frame.depth, cover, Camera(frame.focal_px, frame.cx, frame.cy))


def _exact_depth(item: Item, alpha: Alpha) -> InverseDepth:
    with np.load(item.photo.parent / "depth.npz") as archive:
        return _fit((1 / np.maximum(archive["z"].astype(np.float32), 1e-6)).astype(np.float32), alpha)


def _dense(surface: Surface) -> Surface:
    """Return the surface with edges of at most `LONGEST_EDGE`."""
    import trimesh

    vertices, faces = trimesh.remesh.subdivide_to_size(surface.vertices, surface.faces, LONGEST_EDGE, max_iter=12)
    tidy = trimesh.Trimesh(vertices, faces, process=False)
    tidy.merge_vertices(digits_vertex=6)
    return Surface(np.asarray(tidy.vertices, np.float64), np.asarray(tidy.faces, np.int64))


def _damaged(surface: Surface, meta: Meta, damage: Callable[[Points, Points, int], Points], seed: int) -> Surface:
    """Return the surface with its front moved along the lines of sight, the less the more it turns away."""
    scale = float(meta["mesh_to_camera"]["scale"])
    placed = scale * surface.vertices + np.asarray(meta["mesh_to_camera"]["offset"], dtype=np.float64)
    sight = placed / np.linalg.norm(placed, axis=1, keepdims=True)
    facing = -np.einsum("ij,ij->i", sight, vertex_normals(placed, surface.faces.astype(np.int32)))
    seen = ~hidden_from_camera(surface.vertices, meta, VIEW_CELLS)
    share = seen * np.clip((facing - 0.1) / 0.4, 0.0, 1.0)
    far = damage(surface.vertices, np.where(seen, facing, -1.0), seed) * share
    return Surface(surface.vertices + sight * far[:, None], surface.faces)


def _compare(target: Points, surface: Surface) -> Figures:
    points = sample(surface, seed=1)
    forth, back = nearest_distances(target, points), nearest_distances(points, target)
    recall, precision = float(np.mean(forth <= REACH)), float(np.mean(back <= REACH))
    f = 0.0 if recall + precision == 0 else 2 * recall * precision / (recall + precision)
    return Figures(float(forth.mean() + back.mean()) / 2, f)


def _fit(depth: InverseDepth, alpha: Alpha) -> InverseDepth:
    height, width = alpha.shape
    return np.asarray(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
