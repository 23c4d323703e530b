"""The views of a set that stand out from their neighbours, each given a second chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from services.cli.jobs import read_photo
from services.cli.outcome import Outcome
from services.cli.photo_sets.consistency import Features, find_doubts, measure
from services.cli.thumbnails import Thumbnail, make_thumbnail, png, read_working
from services.common.errors import NoSubject, UnflatError

# A view that stands out by less is flagged and left alone: of sets made from 20 real photos with their network masks,
# good views stood out by up to 1.16 times the limit (1 % of them), broken ones mostly by more than 1.3.
AGAIN_FROM = 1.3

Fits: TypeAlias = Callable[[Thumbnail], bool]
"""Tells whether another view in the place of the one that stands out would not."""

Repeat: TypeAlias = Callable[[Outcome, Sequence[Thumbnail], Fits], None]
"""Makes a photo again, given the views that are trusted, nearest first."""


def retry_outliers(outcomes: Mapping[Path, Outcome], repeat: Repeat) -> None:
    """Judge the photos of each folder against each other; note why some stand out, and repeat those.

    Args:
        outcomes: by place; their `doubt` is set.
        repeat: makes one again; what was tried in an earlier run is not.
    """
    folders: dict[Path, list[tuple[Outcome, Thumbnail]]] = {}
    for place in sorted(outcomes):
        view = _view_of(outcomes[place])
        if view is not None:
            folders.setdefault(place.parent, []).append((outcomes[place], view))
    for members in folders.values():
        _compare(members, repeat)


def _compare(members: Sequence[tuple[Outcome, Thumbnail]], repeat: Repeat) -> None:
    features = [measure(view) for _, view in members]
    doubts = find_doubts(features)
    trusted = np.array(sorted(set(range(len(members))) - {doubt.index for doubt in doubts}), dtype=int)
    for doubt in doubts:
        outcome = members[doubt.index][0]
        outcome.doubt = doubt
        tried = outcome.entry is not None and bool(outcome.entry.second)
        if tried or doubt.excess < AGAIN_FROM:
            continue
        nearest = trusted[np.argsort(np.abs(trusted - doubt.index), kind="stable")]
        repeat(outcome, [members[index][1] for index in nearest], _Fits(features, doubt.index))


@dataclass(frozen=True)
class _Fits:
    features: Sequence[Features]
    index: int

    def __call__(self, view: Thumbnail) -> bool:
        changed = [*self.features]
        changed[self.index] = measure(view)
        return all(doubt.index != self.index for doubt in find_doubts(changed))


def _view_of(outcome: Outcome) -> Thumbnail | None:
    """Return the view of a photo, with an empty mask where no subject was found; None where there is nothing to see."""
    if outcome.entry is not None:
        return outcome.entry.view
    if not isinstance(outcome.problem, NoSubject):
        return None
    try:
        photo = read_working(read_photo(outcome.item.photo))
    except UnflatError:
        return None
    return make_thumbnail(photo, png(np.zeros(photo.shape[:2], np.uint8)))
