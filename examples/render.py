"""Render the three example photos again: `python examples/render.py OUT`.

Needs `pip install "mitsuba>=3.9" mitsuba-oidn numpy scipy pillow`; the project itself does not. Run from the
repository's root. Every shape, texture and light is made here or in `evaluation/synthetic`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluation.synthetic import film, objects, textures
from evaluation.synthetic.materials import Material, bisque, cloth, glazed, leafy, painted, timber
from evaluation.synthetic.render import draw
from evaluation.synthetic.solids import Solid, lathe, moved, rounded_box, turned
from evaluation.synthetic.stage import Camera, Lamp, Stage, Thing, look_at, plane, room, wall


def mug() -> Stage:
    """A speckled stoneware mug on an oak table; the kitchen behind it is out of focus."""
    rng = np.random.default_rng(11)
    clay, glaze = bisque(rng, (176, 138, 108)), glazed(rng, (196, 204, 200), 1.0)
    body, handle = objects.placed(objects.mug(rng), 1.0, -28.0)
    foot, upper = _split(body.solid, 0.16)
    things = (Thing(foot, clay), Thing(upper, glaze), Thing(handle.solid, glaze))
    oak = timber(rng, (164, 116, 76), 0.45, boards=4)
    behind = (
        Thing(plane(9.0, 4.2), oak),
        Thing(wall(16.0, 7.0, -5.2), Material(textures.plaster(rng, (186, 188, 180)), roughness=0.9, tile=3.0)),
        Thing(moved(rounded_box((7.0, 0.12, 0.7), 0.02), (1.0, 0.5, -4.8)), timber(rng, (120, 82, 54), 0.2, 1)),
        *_row(rng, (-1.9, 0.56, -4.8)),
        *(Thing(moved(p.solid, (1.15, 0.0, -1.75)), painted((52, 84, 66), 0.15)) for p in objects.bottle(rng)[:1]),
        Thing(moved(objects.bowl(rng)[0].solid, (-1.35, 0.0, -1.5)), glazed(rng, (170, 92, 60))),
    )
    target = np.array([0.0, 0.43, 0.0])
    camera = Camera(look_at(17.0, 3.5, target), target + np.array([0.04, -0.02, 0.0]), 1152, 896, 33.0, aperture=0.045)
    return Stage(things, behind, camera, 0.5 * room(rng, 26.0, 0.2, -1.0), (_window(-3.0, 1.9, 1.5, 9.0),))


def plant() -> Stage:
    """A plant with thin stems in a clay pot on a concrete bench, in front of a painted wall."""
    rng = np.random.default_rng(23)
    look = {"pot": bisque(rng, (186, 102, 70)), "soil": bisque(rng, (52, 40, 32)), "stem": leafy((112, 138, 70)),
            "leaf0": leafy((76, 122, 58)), "leaf1": leafy((58, 104, 52)), "leaf2": leafy((108, 146, 72))}  # fmt: skip
    parts = objects.placed(objects.plant(rng), 1.25, 20.0)
    things = tuple(Thing(part.solid, look[part.role]) for part in parts)
    behind = (
        Thing(plane(9.0, 3.0), Material(textures.concrete(rng, (172, 170, 164)), roughness=0.8, tile=2.2, bump=0.006)),
        Thing(wall(16.0, 7.0, -1.9), Material(textures.plaster(rng, (206, 198, 184)), roughness=0.95, tile=2.6)),
        Thing(
            moved(turned(rounded_box((0.62, 0.09, 0.44), 0.01), "y", 24.0), (0.95, 0.045, -0.8)), painted((58, 84, 108))
        ),
        Thing(
            moved(turned(rounded_box((0.56, 0.07, 0.4), 0.01), "y", 10.0), (0.93, 0.125, -0.8)),
            painted((196, 176, 140)),
        ),
    )
    target = np.array([0.08, 0.58, 0.0])
    camera = Camera(look_at(13.0, 3.5, target), target, 1024, 1024, 28.0, aperture=0.02)
    return Stage(things, behind, camera, 0.5 * room(rng, 24.0, 0.1, -1.0), (_window(-3.0, 2.4, 1.4, 10.0),))


def vase() -> Stage:
    """A chalky off-white vase on linen before a cream wall: subject and surroundings are close in colour."""
    rng = np.random.default_rng(5)
    clay = bisque(rng, (220, 212, 198))
    (body,) = objects.placed(objects.vase(rng), 1.15, 0.0)
    behind = (
        Thing(plane(8.0, 3.2), cloth(rng, (216, 208, 194))),
        Thing(wall(16.0, 7.0, -1.7), Material(textures.plaster(rng, (216, 208, 194)), roughness=0.95, tile=2.4)),
    )
    target = np.array([0.02, 0.52, 0.0])
    camera = Camera(look_at(15.0, 3.7, target), target, 1152, 896, 34.0, aperture=0.02)
    return Stage(
        (Thing(body.solid, clay),), behind, camera, 0.5 * room(rng, 20.0, 0.15, 1.0), (_window(3.2, 2.2, 1.0, 10.0),)
    )


PICTURES: dict[str, Callable[[], Stage]] = {"mug": mug, "plant": plant, "vase": vase}
EXPOSURE = {"mug": 0.26, "plant": 0.36, "vase": 0.4}


def main(argv: list[str] | None = None) -> int:
    """Write mug.jpg, plant.jpg and vase.jpg to a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=sorted(PICTURES), help="one picture instead of all three")
    parser.add_argument("--samples", type=int, default=48, help="paths a pixel")
    parser.add_argument("--scale", type=float, default=1.0, help="size against the committed pictures")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, build in PICTURES.items():
        if args.only not in (None, name):
            continue
        stage = _resized(build(), args.scale)
        drawing = draw(stage, args.samples, seed=1)
        photo = film.develop(drawing.light, np.random.default_rng(1), film.Options(key=EXPOSURE[name]))
        Image.fromarray(photo).save(args.out / f"{name}.jpg", quality=90, subsampling=0, optimize=True)
        print(
            f"{name}.jpg: {photo.shape[1]} x {photo.shape[0]}, subject {100.0 * float(drawing.coverage.mean()):.1f} %"
        )
    return 0


def _split(solid: Solid, height: float) -> tuple[Solid, Solid]:
    """Two surfaces of one body: what lies below `height`, and the rest."""
    pick = solid.vertices[solid.faces][:, :, 1].max(axis=1) < height
    return Solid(solid.vertices, solid.faces[pick], solid.uv), Solid(solid.vertices, solid.faces[~pick], solid.uv)


def _row(rng: np.random.Generator, start: tuple[float, float, float]) -> list[Thing]:
    """Jars and boxes on a shelf."""
    things, x = [], start[0]
    for colour in ((178, 60, 44), (214, 196, 160), (64, 94, 120), (222, 178, 84), (92, 112, 84), (200, 196, 190)):
        wide, high = float(rng.uniform(0.24, 0.4)), float(rng.uniform(0.4, 0.85))
        if rng.random() < 0.5:
            jar = lathe([(0, 0), (wide / 2, 0), (wide / 2, high * 0.8), (wide * 0.3, high), (0, high)], 32)
            things.append(Thing(moved(jar, (x, start[1], start[2])), painted(colour, 0.25)))
        else:
            box = rounded_box((wide, high, 0.3), 0.02)
            things.append(Thing(moved(box, (x, start[1] + high / 2, start[2])), painted(colour, 0.6)))
        x += wide + float(rng.uniform(0.06, 0.5))
    return things


def _window(x: float, y: float, z: float, power: float) -> Lamp:
    """A tall soft window that lights the subject from one side."""
    return Lamp(np.array([x, y, z]), np.array([0.0, 0.4, 0.0]), (1.6, 2.0), power * np.array([1.0, 0.96, 0.9]))


def _resized(stage: Stage, scale: float) -> Stage:
    camera = stage.camera
    size = (round(camera.width * scale), round(camera.height * scale))
    small = Camera(camera.position, camera.target, *size, camera.fov_x_degrees, camera.aperture)
    return Stage(stage.subject, stage.surroundings, small, stage.environment, stage.lamps)


if __name__ == "__main__":
    raise SystemExit(main())
