"""What a surface is made of, and materials to draw from.

A `Material` is plain data; only `render.py` translates it for the renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evaluation.synthetic import textures
from evaluation.synthetic.textures import Texture, linear


@dataclass(frozen=True)
class Material:
    """Reflection of an opaque surface (Disney's principled parameters).

    Attributes:
        colour: Linear reflectance, one colour or a texture.
        roughness: 0 mirror to 1 chalk.
        metallic: 0 or 1.
        specular: Strength of the dielectric reflection, 0.5 is glass-like (index 1.5).
        clearcoat: Second, sharp reflection: glaze or varnish.
        sheen: Brightening at grazing angles: cloth.
        tile: Scene units that one texture tile covers.
        bump: Height of the texture's relief in scene units; 0 is smooth.
    """

    colour: Texture | npt.NDArray[np.float64] = field(default_factory=lambda: np.full(3, 0.5))
    roughness: float = 0.5
    metallic: float = 0.0
    specular: float = 0.5
    clearcoat: float = 0.0
    sheen: float = 0.0
    tile: float = 1.0
    bump: float = 0.0

    @property
    def is_textured(self) -> bool:
        """Whether `colour` is a picture."""
        return self.colour.ndim == 3


def painted(colour: Sequence[float], roughness: float = 0.45) -> Material:
    """One sRGB colour with the sheen of paint or plastic."""
    return Material(linear(colour), roughness=roughness)


def glazed(rng: np.random.Generator, colour: Sequence[float], specks: float = 1.0) -> Material:
    """Speckled stoneware under a glossy glaze."""
    return Material(textures.glaze(rng, colour, (70, 48, 34), specks), roughness=0.13, tile=1.2, specular=0.55)


def bisque(rng: np.random.Generator, colour: Sequence[float]) -> Material:
    """Unglazed clay or terracotta."""
    return Material(textures.concrete(rng, colour, 0.6), roughness=0.85, specular=0.25, tile=1.0, bump=0.004)


def timber(rng: np.random.Generator, colour: Sequence[float], gloss: float = 0.3, boards: int = 5) -> Material:
    """Oiled or varnished wood."""
    return Material(
        textures.wood(rng, colour, boards), roughness=0.62 - 0.4 * gloss, specular=0.35, tile=2.4, bump=0.006
    )


def cloth(rng: np.random.Generator, colour: Sequence[float]) -> Material:
    """Coarse linen."""
    return Material(textures.weave(rng, colour), roughness=0.95, specular=0.1, sheen=0.4, tile=1.1, bump=0.012)


def metal(colour: Sequence[float], roughness: float = 0.25) -> Material:
    """Brushed or polished metal."""
    return Material(linear(colour), roughness=roughness, metallic=1.0)


def leafy(colour: Sequence[float]) -> Material:
    """Waxy leaf."""
    return Material(linear(colour), roughness=0.42, specular=0.4, sheen=0.2)


GLAZES = ((214, 205, 188), (62, 92, 128), (150, 66, 48), (88, 118, 96), (40, 44, 52), (201, 158, 80), (178, 192, 200))
PAINTS = ((190, 44, 38), (32, 84, 160), (236, 190, 46), (44, 124, 76), (232, 232, 226), (36, 36, 38), (226, 118, 40))
WOODS = ((150, 104, 66), (186, 142, 96), (104, 68, 44), (206, 172, 128), (84, 58, 44))
CLAYS = ((178, 98, 68), (196, 180, 160), (120, 92, 78), (222, 214, 202))
METALS = ((188, 188, 190), (206, 170, 100), (120, 122, 126), (196, 120, 86))
LEAVES = ((58, 98, 48), (84, 122, 52), (38, 80, 52), (110, 136, 90))


def random_subject_material(rng: np.random.Generator, kind: str) -> Material:
    """Draw a material of one kind, a key of `KINDS`."""
    return KINDS[kind](rng)


def _striped(rng: np.random.Generator) -> Material:
    one, two = (PAINTS[k] for k in rng.permutation(len(PAINTS))[:2])
    return Material(textures.stripes(rng, one, two), roughness=0.4, tile=1.0)


def _pick(rng: np.random.Generator, table: Sequence[Sequence[float]]) -> Sequence[float]:
    """One entry, a little varied."""
    chosen = np.asarray(table[int(rng.integers(len(table)))], dtype=np.float64)
    varied: list[float] = np.clip(chosen * rng.uniform(0.9, 1.1, 3) * rng.uniform(0.9, 1.1), 8.0, 245.0).tolist()
    return varied


KINDS: dict[str, Callable[[np.random.Generator], Material]] = {
    "glaze": lambda rng: glazed(rng, _pick(rng, GLAZES), float(rng.uniform(0.2, 1.6))),
    "paint": lambda rng: painted(_pick(rng, PAINTS), float(rng.uniform(0.25, 0.6))),
    "wood": lambda rng: timber(rng, _pick(rng, WOODS), float(rng.uniform(0.1, 0.8)), boards=1),
    "clay": lambda rng: bisque(rng, _pick(rng, CLAYS)),
    "soil": lambda rng: bisque(rng, (52, 40, 32)),
    "metal": lambda rng: metal(_pick(rng, METALS), float(rng.uniform(0.15, 0.45))),
    "leaf": lambda rng: leafy(_pick(rng, LEAVES)),
    "stripes": _striped,
}
