"""Draw a scene by its seed: which object, of what, where, in which light, seen from where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.synthetic import textures
from evaluation.synthetic.materials import CLAYS, PAINTS, WOODS, Material, cloth, random_subject_material, timber
from evaluation.synthetic.objects import IDEAS, placed
from evaluation.synthetic.solids import moved
from evaluation.synthetic.stage import (
    Camera,
    Environment,
    Lamp,
    Points,
    Stage,
    Thing,
    look_at,
    outdoors,
    plane,
    room,
    wall,
)

SHAPES = ((1.0, 1.0), (4.0 / 3.0, 1.0), (1.0, 1.25))  # width and height of the picture against `size`
ELEVATION_DEGREES = (8.0, 30.0)
FOV_DEGREES = (28.0, 40.0)


@dataclass(frozen=True)
class Scene:
    """A stage and what is known about it."""

    name: str
    seed: int
    kind: str
    tags: tuple[str, ...]
    stage: Stage
    elevation_degrees: float


@dataclass(frozen=True)
class _Circumstance:
    """Chance, drawn first and together, so that the same seed keeps its plan when a builder changes."""

    similar: bool
    near_wall: bool
    far_wall: bool
    distractor: bool
    in_front: bool
    tiny: bool
    cut: bool
    inside: bool


def compose(seed: int, size: int, kind: str | None = None) -> Scene:
    """Return the scene of a seed.

    Args:
        seed: Any non-negative number; neighbours have nothing in common except that kinds take turns.
        size: Shorter side of the picture, pixels.
        kind: A key of `IDEAS`, or None to let the seed choose.
    """
    rng = np.random.default_rng([seed, 20])
    kind = kind or kind_of(seed)
    plan = _circumstance(rng)
    subject = _things(rng, kind, float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.0, 360.0)))
    elevation = float(rng.uniform(*ELEVATION_DEGREES))
    camera = _camera(rng, subject, elevation, size, plan)
    around, patterned = _surroundings(rng, _mean_colour(subject), plan, subject)
    others, tag = _others(rng, kind, plan, subject, camera)
    environment, lamps = _light(rng, plan, camera)
    flags = (
        ("similar_colour", plan.similar),
        ("wall_behind", plan.near_wall),
        ("tiny", plan.tiny),
        ("texture", patterned),
    )
    tags = [*IDEAS[kind].tags, *(name for name, on in flags if on), *tag]
    stage = Stage(subject, around + others, camera, environment, lamps)
    return Scene(f"p{seed:04d}_{kind}", seed, kind, tuple(tags) or ("plain",), stage, elevation)


def kind_of(seed: int) -> str:
    """Return the kind of object that a seed stands for; each run of as many seeds as kinds has them all."""
    kinds = sorted(IDEAS)
    order = np.random.default_rng([seed // len(kinds), 7]).permutation(len(kinds))
    return kinds[int(order[seed % len(kinds)])]


def _circumstance(rng: np.random.Generator) -> _Circumstance:
    draw = rng.random(8)
    near_wall = bool(draw[1] < 0.4)
    tiny = bool(draw[5] < 0.06)
    return _Circumstance(
        similar=bool(draw[0] < 0.25), near_wall=near_wall, far_wall=bool(not near_wall and draw[2] < 0.5),
        distractor=bool(draw[3] < 0.35), in_front=bool(draw[4] < 0.3), tiny=tiny,
        cut=bool(not tiny and draw[6] < 0.08), inside=near_wall or bool(draw[7] < 0.6),
    )  # fmt: skip


def _things(rng: np.random.Generator, kind: str, size: float, turn_degrees: float) -> tuple[Thing, ...]:
    idea = IDEAS[kind]
    parts = placed(idea.build(rng), size, turn_degrees)
    look: dict[str, Material] = {}
    for part in parts:
        if part.role not in look:
            choices = idea.materials.get(part.role, ("paint",))
            look[part.role] = random_subject_material(rng, choices[int(rng.integers(len(choices)))])
    return tuple(Thing(part.solid, look[part.role]) for part in parts)


def _camera(
    rng: np.random.Generator, subject: tuple[Thing, ...], elevation: float, size: int, plan: _Circumstance
) -> Camera:
    """Stand so far away that the subject fills the drawn share of the frame, then look a little beside its middle."""
    wide, high = SHAPES[int(rng.integers(len(SHAPES)))]
    width, height = round(size * wide), round(size * high)
    fov = float(rng.uniform(*FOV_DEGREES))
    fill = float(rng.uniform(0.16, 0.26) if plan.tiny else rng.uniform(0.58, 0.8))
    points = np.concatenate([thing.solid.vertices for thing in subject])
    target = (points.min(axis=0) + points.max(axis=0)) / 2.0
    distance = 3.0
    for _ in range(12):
        camera = Camera(look_at(elevation, distance, target), target, width, height, fov)
        corners = camera.project(points)
        span = float((np.ptp(corners, axis=0) / (width, height)).max())
        distance = max(distance * span / fill, 1.3)
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
        error = (middle - (width / 2.0, height / 2.0)) / camera.focal_px * distance
        target = target + camera.rotation.T @ np.array([error[0], -error[1], 0.0])
    free = (1.0 - fill) * distance * width / camera.focal_px / 2.0
    shift = rng.uniform(-0.35, 0.35, 2) * free
    if plan.cut:
        shift[0] = (
            float(rng.choice([-1.0, 1.0])) * 0.5 * distance * width / camera.focal_px * float(rng.uniform(0.7, 0.9))
        )
    target = target + camera.rotation.T @ np.array([shift[0], 0.5 * shift[1], 0.0])
    return Camera(look_at(elevation, distance, target), target, width, height, fov)


def _surroundings(
    rng: np.random.Generator, mean: Points, plan: _Circumstance, subject: tuple[Thing, ...]
) -> tuple[tuple[Thing, ...], bool]:
    """Ground, and a wall where the plan has one; and whether the ground is strongly patterned."""
    paper = mean * rng.uniform(0.9, 1.12, 3) * rng.uniform(0.85, 1.2) if plan.similar else None
    checked = bool(paper is None and rng.random() < 0.15)
    things = [Thing(plane(60.0, 60.0), _checked(rng) if checked else _ground(rng, paper))]
    behind = -max(float(-thing.solid.vertices[:, 2].min()) for thing in subject)
    if plan.near_wall or plan.far_wall:
        z = behind - float(rng.uniform(0.08, 0.7) if plan.near_wall else rng.uniform(2.5, 6.0))
        colour = (
            paper
            if paper is not None
            else _srgb(rng, ((206, 198, 184), (186, 196, 200), (150, 160, 150), (214, 206, 200)))
        )
        surface = (
            textures.plaster(rng, colour.tolist()) if rng.random() < 0.7 else textures.concrete(rng, colour.tolist())
        )
        things.append(Thing(wall(60.0, 30.0, z), Material(surface, roughness=0.92, tile=2.5)))
    return tuple(things), checked


def _checked(rng: np.random.Generator) -> Material:
    return Material(textures.check(rng, (232, 230, 224), _srgb(rng, PAINTS).tolist()), roughness=0.9, tile=1.6)


def _ground(rng: np.random.Generator, paper: Points | None) -> Material:
    choice = int(rng.integers(4))
    if choice == 0:
        return timber(rng, (_srgb(rng, WOODS) if paper is None else paper).tolist(), float(rng.uniform(0.1, 0.7)))
    if choice == 1:
        return cloth(rng, (_srgb(rng, PAINTS + CLAYS) if paper is None else paper).tolist())
    if choice == 2:
        return Material(
            textures.plaster(rng, (_srgb(rng, CLAYS) if paper is None else paper).tolist()), roughness=0.5, tile=3.0
        )
    grey = np.array([160.0, 158.0, 152.0]) * rng.uniform(0.6, 1.2) if paper is None else paper
    return Material(textures.concrete(rng, grey.tolist()), roughness=0.8, tile=2.2, bump=0.006)


def _others(
    rng: np.random.Generator, kind: str, plan: _Circumstance, subject: tuple[Thing, ...], camera: Camera
) -> tuple[tuple[Thing, ...], list[str]]:
    """A second object beside the subject or before it, out of its way; none where it would fall outside the picture."""
    names = [name for name in ("mug", "bottle", "bowl", "boxes", "ball", "vase") if name != kind]
    size, side = float(rng.uniform(0.35, 0.6)), float(rng.choice([-1.0, 1.0]))
    things = _things(rng, names[int(rng.integers(len(names)))], size, float(rng.uniform(0.0, 360.0)))
    gap, depth = (
        float(rng.uniform(0.02, 0.2)),
        float(rng.uniform(0.35, 0.6) if plan.in_front else rng.uniform(-0.3, 0.1)),
    )
    if not plan.distractor:
        return (), []
    own = np.concatenate([thing.solid.vertices for thing in subject])
    other = np.concatenate([thing.solid.vertices for thing in things])
    reach = float((side * own[:, 0]).max()) + float(np.abs(other[:, 0]).max()) + gap
    place = (side * reach, 0.0, depth)
    seen = camera.project(other + np.asarray(place)) / (camera.width, camera.height)
    if np.mean(((seen > 0.0) & (seen < 1.0)).all(axis=1)) < 0.5:
        return (), []
    nearest = camera.to_camera(other + np.asarray(place))[:, 2].max() > camera.to_camera(own)[:, 2].max()
    tags = ["distractor", "not_nearest"] if nearest else ["distractor"]
    return tuple(Thing(moved(thing.solid, place), thing.material) for thing in things), tags


def _light(rng: np.random.Generator, plan: _Circumstance, camera: Camera) -> tuple[Environment, tuple[Lamp, ...]]:
    side = float(rng.choice([-1.0, 1.0]))
    if not plan.inside:
        return outdoors(rng, float(rng.uniform(20.0, 120.0)), side), ()
    surround = room(rng, float(rng.uniform(12.0, 28.0)), float(rng.uniform(-0.5, 0.8)), side)
    height = float(rng.uniform(1.8, 3.0))
    position = np.array([side * rng.uniform(2.4, 3.4), height, rng.uniform(0.8, 2.6)])
    size = (float(rng.uniform(0.8, 1.8)), float(rng.uniform(1.0, 2.0)))
    window = Lamp(position, np.array([0.0, 0.4, 0.0]), size, rng.uniform(4.0, 11.0) * np.array([1.0, 0.96, 0.9]))
    if camera.to_camera(position[None])[0, 2] < -0.1:
        place = np.abs(camera.project(position[None])[0] / (camera.width, camera.height) - 0.5)
        if place.max() < 0.8:  # the window itself would stand in the picture
            return surround, ()
    return np.asarray(0.55 * surround, dtype=np.float32), (window,)


def _mean_colour(subject: tuple[Thing, ...]) -> Points:
    """The sRGB colour, 0..255, of the largest part."""
    largest = max(subject, key=lambda thing: float(np.prod(np.ptp(thing.solid.vertices, axis=0))))
    mean = np.asarray(largest.material.colour, dtype=np.float64).reshape(-1, 3).mean(axis=0)
    return np.asarray(255.0 * np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1.0 / 2.4) - 0.055))


def _srgb(rng: np.random.Generator, table: tuple[tuple[int, int, int], ...]) -> Points:
    return np.asarray(table[int(rng.integers(len(table)))], dtype=np.float64) * rng.uniform(0.88, 1.08, 3)
