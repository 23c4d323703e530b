"""The edge cases of cutting out, drawn: one small picture each, with its exact mask and what a network might say of it.

    python -m evaluation edge-cases OUT && python -m evaluation --in-process --set OUT --mesher none

Plain drawings: they ask whether a case is handled at all, not how well photographs of the kind are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from services.common.arrays import RGB, Alpha, BoolMask, Float, InverseDepth

HEIGHT, WIDTH = 360, 480
_Y, _X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)


@dataclass(frozen=True)
class EdgeCase:
    """One drawn picture.

    Attributes:
        name: of the case.
        rgb: (H, W, 3) uint8.
        truth: (H, W) float32 in [0, 1]; all 0 where there is no subject.
        network: (H, W) float32 in [0, 1], a plausible answer of a network, wrong where this case makes networks wrong.
        depth: (H, W) float32, the subject before a ramp of ground.
    """

    name: str
    rgb: RGB
    truth: Alpha
    network: Alpha
    depth: InverseDepth


def draw_edge_cases() -> list[EdgeCase]:
    """Return all cases, always the same."""
    return [_finish(name, *draw()) for name, draw in _CASES.items()]


def _similar_colour() -> tuple[Float, BoolMask, Alpha]:
    jug = _ellipse(240, 190, 95, 120)
    lost = jug & (_Y > 220)
    return _paint(_ground((150, 135, 115), 5), jug, (172, 150, 122)), jug, np.where(lost, 0.4, jug)


def _translucent() -> tuple[Float, BoolMask, Alpha]:
    bottle = _box(200, 120, 280, 320) | _box(225, 50, 255, 121)
    behind = _ground((120, 150, 180), 25)
    rgb = np.where(bottle[..., None], 0.6 * behind + 0.4 * _colour(40, 140, 90), behind)
    return _paint(rgb, _rim(bottle, 5), (30, 90, 60)), bottle, np.where(bottle & ~_rim(bottle, 9), 0.55, bottle)


def _thin() -> tuple[Float, BoolMask, Alpha]:
    stool = _ellipse(240, 120, 90, 25)
    for x in (165, 215, 265, 315):
        stool |= _box(x - 2, 120, x + 2, 320)
    return _paint(_ground((170, 175, 180), 12), stool, (90, 50, 30)), stool, stool.astype(np.float32)


def _holes() -> tuple[Float, BoolMask, Alpha]:
    hole = _ellipse(240, 180, 45, 45)
    wheel = _ellipse(240, 180, 120, 120) & ~hole
    pinhole = _ellipse(150, 180, 9, 9)
    network = np.where(hole, 0.45, np.where(pinhole, 0.55, wheel | pinhole))
    wheel &= ~pinhole
    return _paint(_ground((80, 150, 70), 20), wheel, (200, 60, 40)), wheel, network


def _texture() -> tuple[Float, BoolMask, Alpha]:
    ball = _ellipse(240, 180, 110, 110)
    tiles = ((_X // 14).astype(int) * 7 + (_Y // 14).astype(int) * 13) % 5
    colours = np.array([(220, 40, 40), (240, 220, 60), (40, 60, 200), (240, 240, 240), (30, 30, 30)], np.float32)
    rgb = np.where(ball[..., None], colours[tiles], _ground((110, 120, 90), 45))
    return rgb, ball, np.where(ball & (_X > 270) & (_Y > 170), 0.4, ball)


def _touching_frame() -> tuple[Float, BoolMask, Alpha]:
    statue = _ellipse(330, 120, 70, 80) | (_ellipse(370, 380, 150, 230) & (_Y > 170))
    return _paint(_ground((120, 160, 200), 15), statue, (130, 95, 60)), statue, np.where(_Y > 280, 0.4, 1.0) * statue


def _several() -> tuple[Float, BoolMask, Alpha]:
    shoes = _ellipse(150, 200, 85, 50) | _ellipse(360, 230, 60, 40)
    return _paint(_ground((190, 180, 160), 15), shoes, (60, 40, 120)), shoes, np.where(_X > 260, 0.75, 1.0) * shoes


def _tiny() -> tuple[Float, BoolMask, Alpha]:
    bird = _ellipse(300, 110, 16, 9) | _ellipse(314, 102, 6, 6)
    return _paint(_ground((140, 180, 220), 10), bird, (30, 25, 25)), bird, bird.astype(np.float32)


def _none() -> tuple[Float, BoolMask, Alpha]:
    nothing = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    return _ground((120, 150, 90), 30), nothing, 0.3 * _ellipse(240, 180, 60, 40)


_CASES: dict[str, Callable[[], tuple[Float, BoolMask, Alpha]]] = {
    "similar_colour": _similar_colour,
    "translucent": _translucent,
    "thin": _thin,
    "holes": _holes,
    "texture": _texture,
    "touching_frame": _touching_frame,
    "several": _several,
    "tiny": _tiny,
    "none": _none,
}


def _finish(name: str, rgb: Float, subject: BoolMask, network: Alpha) -> EdgeCase:
    noise = np.random.default_rng(len(name)).normal(0, 3, rgb.shape)
    photo = cv2.GaussianBlur(np.clip(rgb, 0, 255).astype(np.float32), (0, 0), 0.7) + noise
    truth = cv2.GaussianBlur(subject.astype(np.float32), (0, 0), 0.5)
    depth = np.where(subject, np.float32(0.85), 0.1 + 0.4 * _Y / HEIGHT)
    return EdgeCase(
        name,
        np.clip(np.rint(photo), 0, 255).astype(np.uint8),
        np.asarray(truth, dtype=np.float32),
        np.asarray(cv2.GaussianBlur(network.astype(np.float32), (0, 0), 1.5), dtype=np.float32),
        np.asarray(cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 3.0), dtype=np.float32),
    )


def _ground(colour: tuple[int, int, int], unrest: float) -> Float:
    """Return (H, W, 3) float32: `colour` with blotches of about `unrest` grey levels, coarse and fine."""
    rng = np.random.default_rng(sum(colour))
    blotches = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
    for cells in (6, 24, 80):
        small = rng.normal(0, 1, (cells * HEIGHT // WIDTH + 1, cells, 3)).astype(np.float32)
        blotches += cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(_colour(*colour) + unrest * blotches, dtype=np.float32)


def _paint(rgb: Float, where: BoolMask, colour: tuple[int, int, int]) -> Float:
    shade = 0.8 + 0.4 * _X / WIDTH
    return np.where(where[..., None], _colour(*colour) * shade[..., None], rgb)


def _colour(red: int, green: int, blue: int) -> Float:
    return np.array((red, green, blue), dtype=np.float32)


def _ellipse(x: float, y: float, rx: float, ry: float) -> BoolMask:
    return np.asarray(((_X - x) / rx) ** 2 + ((_Y - y) / ry) ** 2 <= 1)


def _box(left: float, top: float, right: float, bottom: float) -> BoolMask:
    return np.asarray((np.abs(2 * _X - left - right) <= right - left) & (np.abs(2 * _Y - top - bottom) <= bottom - top))


def _rim(mask: BoolMask, width: int) -> BoolMask:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8))
    return np.asarray(mask & (inner == 0))


def main(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    """Write the cases as a set of scenes; the one without a subject has no exact mask to score and is left out."""
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args(argv).out
    for case in draw_edge_cases():
        if case.truth.any():
            _write(case, out / case.name)
    return 0


def _write(case: EdgeCase, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "photo.png"), case.rgb[..., ::-1])
    for name, alpha in (("alpha.png", case.truth), ("alpha_network.png", case.network)):
        cv2.imwrite(str(folder / name), _bytes(alpha))
    np.savez_compressed(folder / "inverse_depth.npz", d=case.depth.astype(np.float16))
    (folder / "meta.json").write_text(json.dumps({"tags": [case.name]}), encoding="utf-8")


def _bytes(alpha: Alpha) -> npt.NDArray[np.uint8]:
    return np.rint(alpha * 255).astype(np.uint8)
