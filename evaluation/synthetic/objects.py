"""Things of the house, each built from closed parts: about 1 unit large, standing on y = 0, centred on the y axis.

A builder draws its proportions from `rng` and returns parts; a part's role says which material it shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.synthetic.solids import (
    Solid,
    arc,
    ball,
    lathe,
    moved,
    rod,
    rounded_box,
    scaled,
    smooth_line,
    sweep,
    turned,
)

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One closed solid and the role of its material."""

    solid: Solid
    role: str = "body"


@dataclass(frozen=True)
class Idea:
    """A kind of object: its builder, the materials that suit each role, and the tags that are always true of it."""

    build: Callable[[np.random.Generator], list[Part]]
    materials: dict[str, tuple[str, ...]]
    tags: tuple[str, ...] = ()


def mug(rng: np.random.Generator) -> list[Part]:
    """A mug: straight or slightly tapered wall, rounded foot and lip, a handle with a finger hole."""
    high, lip = float(rng.uniform(0.78, 0.95)), float(rng.uniform(0.33, 0.4))
    foot = lip * float(rng.uniform(0.86, 1.0))
    thick = 0.035
    belly = smooth_line([(foot, 0.07), (foot + 0.012, high * 0.45), (lip, high - thick / 2)], 24)
    inner = belly[::-1] - [thick, 0.0]
    profile = np.concatenate([
        [(0.0, 0.012), (foot - 0.09, 0.012), (foot - 0.085, 0.0), (foot - 0.05, 0.0)],
        arc((foot - 0.05, 0.05), 0.05, -60.0, -10.0, 6), belly,
        arc((lip - thick / 2, high - thick / 2), thick / 2, 30.0, 150.0, 6), inner[:-1],
        arc((foot - 0.12, 0.13), 0.085, -5.0, -85.0, 6), [(0.0, 0.045)],
    ])  # fmt: skip
    reach = float(rng.uniform(0.21, 0.29))
    top, bottom = high * 0.82, high * float(rng.uniform(0.2, 0.3))
    line = smooth_line([
        (lip - 0.025, top - 0.015, 0.0), (lip + 0.42 * reach, top + 0.02, 0.0),
        (lip + 0.86 * reach, 0.88 * top + 0.12 * bottom, 0.0),
        (lip + 0.98 * reach, 0.58 * top + 0.42 * bottom, 0.0), (lip + 0.8 * reach, 0.26 * top + 0.74 * bottom, 0.0),
        (lip + 0.38 * reach, 0.05 * top + 0.95 * bottom, 0.0), (foot - 0.02, bottom - 0.02, 0.0),
    ], 48)  # fmt: skip
    return [Part(lathe(profile, 96)), Part(sweep(line, 0.052, 0.034, sides=20, up=(0.0, 1.0, 0.0)))]


def bowl(rng: np.random.Generator) -> list[Part]:
    """A footed bowl with a thin wall."""
    high, wide = float(rng.uniform(0.36, 0.55)), float(rng.uniform(0.45, 0.55))
    outer = smooth_line([(0.2, 0.05), (wide * 0.72, high * 0.3), (wide, high)], 24)
    profile = np.concatenate([
        [(0.0, 0.03), (0.15, 0.03), (0.16, 0.0), (0.2, 0.0)], outer,
        arc((wide - 0.014, high), 0.014, 30.0, 150.0, 5), outer[:0:-1] - [0.03, -0.028], [(0.0, 0.08)],
    ])  # fmt: skip
    return [Part(lathe(profile, 96))]


def vase(rng: np.random.Generator) -> list[Part]:
    """A vase with a belly, a neck and a flared lip; sometimes ribbed."""
    belly, neck = float(rng.uniform(0.27, 0.36)), float(rng.uniform(0.09, 0.15))
    at = float(rng.uniform(0.3, 0.48))
    lip = neck + float(rng.uniform(0.02, 0.08))
    outer = smooth_line([(belly * 0.6, 0.03), (belly, at), (neck, 0.82), (lip, 0.99)], 220)
    ribs = int(rng.integers(0, 2)) * int(rng.integers(18, 30))
    outer[:, 0] += 0.0045 * np.sin(ribs * 2.0 * np.pi * outer[:, 1]) * np.sin(np.pi * np.clip(outer[:, 1], 0.0, 1.0))
    inside = smooth_line([(lip - 0.022, 0.985), (neck - 0.02, 0.82), (belly - 0.05, at), (belly * 0.55, 0.08)], 24)
    profile = np.concatenate([
        [(0.0, 0.01), (belly * 0.5, 0.01), (belly * 0.54, 0.0)], outer,
        arc((lip - 0.012, 0.992), 0.012, 40.0, 140.0, 5), inside, [(0.0, 0.07)],
    ])  # fmt: skip
    return [Part(lathe(profile, 96))]


def bottle(rng: np.random.Generator) -> list[Part]:
    """A closed bottle with a shoulder, a stopper and a label band."""
    body, neck, shoulder = (
        float(rng.uniform(0.15, 0.2)),
        float(rng.uniform(0.045, 0.065)),
        float(rng.uniform(0.55, 0.65)),
    )
    outer = smooth_line([(body, 0.04), (body, 0.3), (body, shoulder), (neck, shoulder + 0.17), (neck, 0.94)], 48)
    profile = np.concatenate([
        [(0.0, 0.02), (body * 0.6, 0.01), (body - 0.03, 0.0)], outer,
        [(neck + 0.014, 0.945), (neck + 0.014, 0.98), (neck, 0.985), (0.0, 0.985)],
    ])  # fmt: skip
    label = lathe([(0.0, 0.12), (body + 0.003, 0.12), (body + 0.003, shoulder - 0.12), (0.0, shoulder - 0.12)], 64)
    cork = lathe([(0.0, 0.95), (neck - 0.01, 0.95), (neck - 0.004, 1.04), (neck - 0.02, 1.05), (0.0, 1.05)], 48)
    return [Part(lathe(profile, 64)), Part(label, "label"), Part(cork, "cork")]


def plant(rng: np.random.Generator) -> list[Part]:
    """A pot with thin stems that carry a leaf each, and a few along the way."""
    pot_high, lip, foot = 0.34, 0.2, 0.14
    profile = [(0.0, 0.0), (foot, 0.0), (foot + 0.01, 0.012), (lip - 0.018, pot_high - 0.085), (lip, pot_high - 0.08),
               (lip + 0.008, pot_high - 0.01), (lip, pot_high), (lip - 0.02, pot_high), (lip - 0.028, pot_high - 0.04),
               (0.0, pot_high - 0.03)]  # fmt: skip
    parts = [
        Part(lathe(profile, 72), "pot"),
        Part(moved(ball((lip - 0.025, 0.03, lip - 0.025)), (0, pot_high - 0.04, 0)), "soil"),
    ]
    stems = int(rng.integers(7, 11))
    for k in range(stems):
        around = 360.0 * (k + rng.uniform(-0.3, 0.3)) / stems
        rise, lean = float(rng.uniform(0.32, 0.62)), float(rng.uniform(0.08, 0.34))
        start = float(rng.uniform(0.02, 0.08))
        line = smooth_line([(start, pot_high - 0.05, 0), (start + 0.2 * lean, pot_high + 0.5 * rise, 0),
                            (start + lean, pot_high + rise, 0)], 20)  # fmt: skip
        parts.append(
            Part(turned(sweep(line, np.linspace(0.0085, 0.0055, 20), sides=8, up=(0, 0, 1)), "y", around), "stem")
        )
        for at in (19, int(rng.integers(10, 15))):
            size = float(rng.uniform(0.75, 1.15)) * (1.0 if at == 19 else 0.8)
            leaf = turned(turned(_leaf(rng, size), "x", float(rng.uniform(-50, 50))), "y", float(rng.uniform(-70, 70)))
            leaf = turned(leaf, "z", float(rng.uniform(-25.0, 45.0)))
            parts.append(Part(turned(moved(leaf, line[at]), "y", around), f"leaf{k % 3}"))
    return parts


def _leaf(rng: np.random.Generator, size: float) -> Solid:
    """A leaf about 0.22 long along x from the origin, arched and drooping."""
    t = np.linspace(0.0, 1.0, 22)
    droop = float(rng.uniform(0.04, 0.13))
    line = np.stack(
        [0.24 * size * t, 0.05 * size * np.sin(np.pi * 0.6 * t) - droop * size * t**2.2, np.zeros(22)], axis=1
    )
    half = size * (0.0045 + 0.058 * np.sin(np.pi * t**0.8) ** 0.9 * (1.0 - 0.15 * t))
    return sweep(line, np.maximum(half, 0.004), np.full(22, 0.0042), sides=12)


def chair(rng: np.random.Generator) -> list[Part]:
    """A wooden chair: four legs, seat, backrest with rungs."""
    seat, wide, deep = 0.45, float(rng.uniform(0.38, 0.44)), float(rng.uniform(0.36, 0.42))
    leg = float(rng.uniform(0.016, 0.024))
    parts = [Part(moved(rounded_box((wide + 0.04, 0.035, deep + 0.04), 0.015), (0, seat, 0)))]
    x, z = wide / 2 - leg, deep / 2 - leg
    for side in (-1.0, 1.0):
        parts.append(Part(rod((side * x, 0, z), (side * x, seat, z * 0.95), leg * 0.8, leg)))
        back = smooth_line([(side * x, 0, -z), (side * x, seat, -z), (side * x * 1.03, 1.0, -z - 0.09)], 16)
        parts.append(Part(sweep(back, leg, sides=16, up=(0, 0, 1))))
        parts.append(Part(rod((side * x, 0.2, z * 0.97), (side * x, 0.16, -z), leg * 0.6)))
    parts.append(Part(rod((-x, 0.18, 0), (x, 0.18, 0), leg * 0.6)))
    slats = int(rng.integers(2, 5))
    for k in range(slats):
        y = 0.62 + 0.34 * k / max(slats - 1, 1)
        behind = -z - 0.09 * ((y - seat) / 0.55) ** 1.3
        parts.append(Part(moved(rounded_box((2 * x, 0.05, 0.016), 0.007), (0, y, behind))))
    return [Part(turned(p.solid, "y", 0.0), p.role) for p in parts]


def table(rng: np.random.Generator) -> list[Part]:
    """A small table or stool, round or square, on three or four splayed legs."""
    high, half = float(rng.uniform(0.55, 0.8)), float(rng.uniform(0.28, 0.42))
    legs = int(rng.integers(3, 5))
    if legs == 3 or rng.random() < 0.4:
        top = lathe([(0, high - 0.04), (half - 0.01, high - 0.04), (half, high - 0.03), (half, high - 0.01),
                     (half - 0.01, high), (0, high)], 72)  # fmt: skip
    else:
        top = moved(rounded_box((2 * half, 0.04, 1.7 * half), 0.012), (0, high - 0.02, 0))
    parts = [Part(top)]
    for k in range(legs):
        angle = 2 * np.pi * (k + 0.5) / legs
        out = np.array([np.sin(angle), np.cos(angle)])
        a, b = 0.62 * half * out, half * float(rng.uniform(0.9, 0.98)) * out
        parts.append(Part(rod((b[0], 0, b[1]), (a[0], high - 0.03, a[1]), 0.017, 0.026), "leg"))
    return parts


def basket(rng: np.random.Generator) -> list[Part]:
    """A wire basket: rings, upright wires, a bow handle."""
    low, high = float(rng.uniform(0.24, 0.32)), float(rng.uniform(0.4, 0.48))
    tall, wire = float(rng.uniform(0.36, 0.46)), float(rng.uniform(0.009, 0.013))
    turn = np.linspace(0.0, 2.0 * np.pi, 73)[:-1]
    ring = np.stack([np.cos(turn), np.zeros(72), np.sin(turn)], axis=1)
    parts = []
    levels = int(rng.integers(3, 6))
    for k in range(levels + 1):
        t = k / levels
        radius = low + (high - low) * t**0.8
        thick = wire * (1.9 if k == levels else 1.2)
        parts.append(Part(moved(sweep(ring * radius, thick, sides=8, closed=True), (0, wire * 2 + tall * t, 0))))
    uprights = int(rng.integers(12, 20))
    rise = np.linspace(0.0, 1.0, 9)
    line = np.stack([low + (high - low) * rise**0.8, wire * 2 + tall * rise, np.zeros(9)], axis=1)
    upright = sweep(line, wire, sides=8, up=(0, 0, 1))
    parts += [Part(turned(upright, "y", 360.0 * k / uprights)) for k in range(uprights)]
    for k in range(3):
        bar = rod((-low, wire * 2, 0), (low, wire * 2, 0), wire)
        parts.append(Part(turned(bar, "y", 60.0 * k + 7.0)))
    bend = np.linspace(0.0, np.pi, 32)
    bow_high = float(rng.uniform(0.4, 0.5))
    bow = np.stack([high * np.cos(bend), wire * 2 + tall + bow_high * np.sin(bend), np.zeros(32)], axis=1)
    return [*parts, Part(sweep(bow, wire * 1.7, sides=10, up=(0, 0, 1)), "handle")]


def lamp(rng: np.random.Generator) -> list[Part]:
    """A desk lamp with a jointed arm, or a table lamp with a turned foot and a shade."""
    if rng.random() < 0.5:
        base = lathe([(0, 0), (0.19, 0), (0.2, 0.012), (0.19, 0.035), (0.05, 0.05), (0, 0.05)], 64)
        elbow = (float(rng.uniform(-0.3, -0.15)), float(rng.uniform(0.5, 0.6)), 0.0)
        head = (float(rng.uniform(0.12, 0.25)), float(rng.uniform(0.82, 0.95)), 0.0)
        shade = lathe([(0, 0.17), (0.04, 0.165), (0.06, 0.1), (0.15, 0.0), (0.158, 0.0), (0.07, 0.11), (0.055, 0.18),
                       (0, 0.19)][::-1], 64)  # fmt: skip
        shade = Solid(shade.vertices, shade.faces[:, ::-1].copy(), shade.uv) if _volume(shade) < 0 else shade
        shade = moved(turned(shade, "z", float(rng.uniform(15, 40))), (head[0] + 0.02, head[1] - 0.15, 0))
        return [Part(base), Part(rod((0, 0.04, 0), elbow, 0.014), "arm"), Part(rod(elbow, head, 0.013), "arm"),
                Part(moved(ball(0.028), elbow), "arm"), Part(moved(ball(0.03), head), "arm"), Part(shade)]  # fmt: skip
    knob = float(rng.uniform(0.08, 0.13))
    outline = smooth_line([(0.17, 0.02), (0.05, 0.1), (knob, 0.3), (0.03, 0.5), (0.02, 0.62)], 40)
    foot = lathe(np.concatenate([[(0, 0), (0.165, 0)], outline, [(0, 0.63)]]), 64)
    low, top = float(rng.uniform(0.27, 0.34)), float(rng.uniform(0.16, 0.22))
    shade = lathe([(0, 0.6), (low, 0.56), (low + 0.004, 0.565), (top + 0.004, 0.98), (top, 0.985), (0, 0.94)], 72)
    return [Part(foot), Part(shade, "shade")]


def _volume(solid: Solid) -> float:
    a, b, c = (solid.vertices[solid.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def boxes(rng: np.random.Generator) -> list[Part]:
    """Two to four boxes piled up, each a little turned."""
    parts, y, wide = [], 0.0, 0.8
    for k in range(int(rng.integers(2, 5))):
        size = (wide * rng.uniform(0.85, 1.0), float(rng.uniform(0.14, 0.32)), wide * rng.uniform(0.6, 0.9))
        box = turned(rounded_box(size, 0.012), "y", float(rng.uniform(-25, 25)))
        shift = (float(rng.uniform(-0.04, 0.04)), y + size[1] / 2, float(rng.uniform(-0.03, 0.03)))
        parts.append(Part(moved(box, shift), f"box{k % 3}"))
        y += size[1] - 0.001
        wide *= float(rng.uniform(0.62, 0.85))
    return parts


def ring(rng: np.random.Generator) -> list[Part]:
    """A thick ring that lies, or leans on its own foot."""
    turn = np.linspace(0.0, 2.0 * np.pi, 97)[:-1]
    big, small = 0.36, float(rng.uniform(0.07, 0.14))
    body = sweep(
        big * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1), small, sides=32, up=(0, 0, 1), closed=True
    )
    if rng.random() < 0.5:
        return [Part(moved(turned(body, "x", float(rng.uniform(66, 90))), (0, small + 0.15, 0))),
                Part(lathe([(0, 0), (0.3, 0), (0.31, 0.02), (0.2, 0.17), (0, 0.17)], 64), "foot")]  # fmt: skip
    return [Part(moved(turned(body, "y", float(rng.uniform(-35, 35))), (0, big + small + 0.06, 0))),
            Part(moved(rounded_box((0.36, 0.12, 0.26), 0.02), (0, 0.06, 0)), "foot")]  # fmt: skip


def toy(rng: np.random.Generator) -> list[Part]:
    """An animal or a car from plain solids."""
    if rng.random() < 0.5:
        body = (0.3, float(rng.uniform(0.17, 0.22)), 0.19)
        parts = [Part(moved(ball(body), (0, 0.45, 0))), Part(moved(ball(0.155), (0.3, 0.66, 0)))]
        parts += [Part(moved(ball((0.08, 0.055, 0.07)), (0.44, 0.63, 0)), "second")]
        parts += [
            Part(rod((x, 0, z), (0.85 * x, 0.42, 0.8 * z), 0.05, 0.065)) for x in (-0.19, 0.19) for z in (-0.1, 0.1)
        ]
        parts += [
            Part(moved(turned(ball((0.03, 0.1, 0.05)), "x", 25.0 * s), (0.27, 0.82, 0.09 * s)), "second")
            for s in (-1, 1)
        ]
        tail = smooth_line([(-0.25, 0.48, 0), (-0.36, 0.58, 0.02), (-0.4, 0.72, 0.0)], 14)
        return [*parts, Part(sweep(tail, np.linspace(0.032, 0.016, 14), sides=14, up=(0, 0, 1)), "second")]
    parts = [Part(moved(rounded_box((0.9, 0.18, 0.42), 0.07), (0, 0.22, 0))),
             Part(moved(rounded_box((0.46, 0.24, 0.36), 0.09), (-0.04, 0.37, 0)), "second")]  # fmt: skip
    for x in (-0.27, 0.28):
        for side in (-1.0, 1.0):
            wheel = lathe([(0, -0.05), (0.1, -0.05), (0.12, -0.03), (0.12, 0.03), (0.1, 0.05), (0, 0.05)], 48)
            parts.append(Part(moved(turned(wheel, "x", 90.0), (x, 0.12, side * 0.19)), "wheel"))
    return parts


def balls(rng: np.random.Generator) -> list[Part]:
    """One ball on a low stand."""
    radius = float(rng.uniform(0.3, 0.4))
    stand = lathe([(0, 0), (0.2, 0), (0.21, 0.02), (0.15, 0.09), (0, 0.09)], 64)
    return [Part(moved(ball(radius, 72), (0, radius + 0.05, 0))), Part(stand, "foot")]


def teapot(rng: np.random.Generator) -> list[Part]:
    """A round pot with spout, handle and lid."""
    wide, high = float(rng.uniform(0.3, 0.36)), float(rng.uniform(0.42, 0.5))
    outer = smooth_line([(wide * 0.62, 0.02), (wide, high * 0.45), (wide * 0.5, high)], 32)
    body = lathe(np.concatenate([[(0, 0.01), (wide * 0.58, 0.0)], outer, [(0, high + 0.005)]]), 80)
    dome = smooth_line([(wide * 0.48, high), (wide * 0.3, high + 0.07), (0.03, high + 0.09)], 14)
    knob = arc((0.012, high + 0.14), 0.035, -40, 80, 8)
    lid = lathe(np.concatenate([[(0, high - 0.02)], dome, [(0.03, high + 0.11)], knob, [(0, high + 0.178)]]), 64)
    spout = smooth_line([(wide * 0.8, high * 0.4, 0), (wide * 1.25, high * 0.55, 0), (wide * 1.45, high * 0.9, 0),
                         (wide * 1.62, high, 0)], 24)  # fmt: skip
    loop = smooth_line([(-wide * 0.72, high * 0.82, 0), (-wide * 1.3, high * 0.92, 0), (-wide * 1.55, high * 0.55, 0),
                        (-wide * 1.2, high * 0.25, 0), (-wide * 0.9, high * 0.3, 0)], 32)  # fmt: skip
    return [Part(body), Part(lid, "lid"), Part(sweep(spout, np.linspace(0.075, 0.03, 24), sides=20, up=(0, 0, 1))),
            Part(sweep(loop, 0.024, 0.03, sides=16, up=(0, 0, 1)))]  # fmt: skip


IDEAS: dict[str, Idea] = {
    "mug": Idea(mug, {"body": ("glaze", "paint", "stripes")}),
    "bowl": Idea(bowl, {"body": ("glaze", "wood", "metal")}),
    "vase": Idea(vase, {"body": ("glaze", "clay", "stripes")}),
    "bottle": Idea(bottle, {"body": ("paint", "glaze"), "label": ("clay", "paint"), "cork": ("wood",)}),
    "plant": Idea(plant, {"pot": ("clay", "glaze"), "soil": ("soil",),
                           "stem": ("leaf",), "leaf0": ("leaf",), "leaf1": ("leaf",), "leaf2": ("leaf",)}, ("thin",)),
    "chair": Idea(chair, {"body": ("wood", "paint")}, ("thin",)),
    "table": Idea(table, {"body": ("wood", "paint"), "leg": ("wood", "metal")}, ("thin",)),
    "basket": Idea(basket, {"body": ("metal", "paint"), "handle": ("wood", "metal")}, ("thin",)),
    "lamp": Idea(lamp, {"body": ("paint", "metal", "wood"), "arm": ("metal",), "shade": ("clay",)}, ("thin",)),
    "boxes": Idea(boxes, {"box0": ("wood", "clay"), "box1": ("stripes", "paint"), "box2": ("paint",)},
                  ("ground_contact",)),
    "ring": Idea(ring, {"body": ("stripes", "paint", "wood"), "foot": ("wood", "paint")}),
    "toy": Idea(toy, {"body": ("paint", "wood"), "second": ("paint", "wood"), "wheel": ("paint",)}),
    "ball": Idea(balls, {"body": ("stripes", "paint", "glaze"), "foot": ("wood",)}),
    "teapot": Idea(teapot, {"body": ("glaze", "metal"), "lid": ("glaze", "paint")}),
}  # fmt: skip


def placed(parts: list[Part], size: float, turn_degrees: float) -> list[Part]:
    """Return the parts turned about the vertical and scaled so that the whole is `size` large, still on y = 0."""
    spun = [Part(turned(part.solid, "y", turn_degrees), part.role) for part in parts]
    every = np.concatenate([part.solid.vertices for part in spun])
    low, high = every.min(axis=0), every.max(axis=0)
    centre = (low + high) / 2.0
    shift = (-centre[0], -low[1], -centre[2])
    factor = size / float((high - low).max())
    return [Part(scaled(moved(part.solid, shift), factor), part.role) for part in spun]
