"""Which builds are worth checking: base and overlays with the components that go together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

STAGES = ("segmentation", "depth", "mesher")
# One of each row at most: they answer the same question.
ALTERNATIVES: tuple[tuple[str, ...], ...] = (
    ("keda", "hpa"),
    ("weights-pull", "weights-pvc", "weights-image-volume"),
    ("weights-pull/triposr", "weights-image-volume"),
    *((f"gpu-nvidia/{stage}", f"gpu-shared/{stage}", f"mig/{stage}") for stage in STAGES),
)
# What makes no sense without the other.
WITH = {"tracing/network-policy": ("network-policies", "tracing")}
# The oldest Kubernetes that knows what a component uses, where that is not the oldest we promise.
NEEDS = {"weights-image-volume": "1.31"}


@dataclass(frozen=True)
class Combination:
    """Base or an overlay, and the components put on top; paths relative to deploy/k8s."""

    ground: str
    components: tuple[str, ...]

    @property
    def label(self) -> str:
        """What a message calls it."""
        return " + ".join((self.ground, *self.components))


def components(k8s: Path) -> list[str]:
    """Return the names of all components."""
    folder = k8s / "components"
    return sorted(str(file.parent.relative_to(folder)) for file in folder.rglob("kustomization.yaml"))


def overlays(k8s: Path) -> list[str]:
    """Return the paths of all overlays."""
    return sorted(str(file.parent.relative_to(k8s)) for file in k8s.glob("overlays/*/kustomization.yaml"))


@cache
def contained(path: Path) -> frozenset[str]:
    """Return the components that a kustomization takes in, and theirs."""
    said = yaml.safe_load((path / "kustomization.yaml").read_text(encoding="utf-8"))
    found: set[str] = set()
    for entry in said.get("components", []):
        inner = (path / entry).resolve()
        folder = next(parent for parent in inner.parents if parent.name == "components")
        found |= {str(inner.relative_to(folder)), *contained(inner)}
    return frozenset(found)


def go_together(chosen: Sequence[str], k8s: Path) -> bool:
    """Tell whether nothing is taken twice, of no row more than one, and nothing without what it needs."""
    outer = set(chosen)
    inner = [name for component in chosen for name in contained(k8s / "components" / component)]
    if len(outer) < len(chosen) or len(set(inner)) < len(inner) or outer & set(inner):
        return False
    if any(not outer | set(inner) >= set(WITH[name]) for name in outer & set(WITH)):
        return False
    return not any(len(outer & set(row)) > 1 for row in ALTERNATIVES)


def combinations(k8s: Path) -> Iterator[Combination]:
    """Yield the base with each pair that goes together, overlays with each component, and both with as many as go."""
    names = components(k8s)
    for ground in ("base", *overlays(k8s)):
        own = _own(k8s / ground)
        sizes = (0, 1, 2) if ground == "base" else (0, 1)
        chosen = {
            picked
            for size in sizes
            for picked in itertools.combinations(names, size)
            if go_together((*own, *picked), k8s)
        }
        chosen |= {_as_many_as_go(own, order, k8s) for order in (names, names[::-1])}
        yield from (Combination(ground, picked) for picked in sorted(chosen, key=lambda c: (len(c), c)))


def fitting(chosen: Sequence[str], promised: Sequence[str]) -> list[str]:
    """Return those of the promised versions that know everything the chosen components use."""
    needed = [_number(NEEDS[name]) for name in chosen if name in NEEDS]
    return [version for version in promised if all(_number(version) >= least for least in needed)]


def _own(ground: Path) -> tuple[str, ...]:
    """Return the components that an overlay itself names, without theirs."""
    said = yaml.safe_load((ground / "kustomization.yaml").read_text(encoding="utf-8"))
    return tuple(entry.partition("components/")[2] for entry in said.get("components", []))


def _as_many_as_go(own: Sequence[str], names: Sequence[str], k8s: Path) -> tuple[str, ...]:
    taken: list[str] = []
    for name in names:
        if go_together((*own, *taken, name), k8s):
            taken.append(name)
    return tuple(sorted(taken))


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
