"""The views of a set that stand out from their neighbours, each given a second chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from services.cli.photo_files import read_photo
from services.cli.photo_sets.consistency import Features, find_doubts, measure
from services.cli.photo_sets.outcome import PhotoOutcome
from services.cli.photo_sets.thumbnails import Thumbnail, encode_png, make_thumbnail, read_working
from services.common.errors import NoSubject, UnflatError

# A view that stands out by less is flagged and left alone: of sets made from 20 real photos with their network masks,
# good views stood out by up to 1.16 times the limit (1 % of them), broken ones mostly by more than 1.3.
RETRY_FROM = 1.3

Fits: TypeAlias = Callable[[Thumbnail], bool]
"""Tells whether another view in the place of the one that stands out would not."""

Retry: TypeAlias = Callable[[PhotoOutcome, Sequence[Thumbnail], Fits], None]
"""Makes a photo again, given the views that are trusted, nearest first."""


def retry_outliers(outcomes: Mapping[Path, PhotoOutcome], retry: Retry) -> None:
    """Judge the photos of each folder against each other; note why some stand out, and retry those.

    Args:
        outcomes: by place; their `doubt` is set.
        retry: makes one again; what was tried in an earlier run is not.
    """
    folders: dict[Path, list[tuple[PhotoOutcome, Thumbnail]]] = {}
    for place in sorted(outcomes):
        thumbnail = _thumbnail_of(outcomes[place])
        if thumbnail is not None:
            folders.setdefault(place.parent, []).append((outcomes[place], thumbnail))
    for members in folders.values():
        _compare(members, retry)


def _compare(members: Sequence[tuple[PhotoOutcome, Thumbnail]], retry: Retry) -> None:
    features = [measure(thumbnail) for _, thumbnail in members]
    doubts = find_doubts(features)
    trusted = np.array(sorted(set(range(len(members))) - {doubt.index for doubt in doubts}), dtype=int)
    for doubt in doubts:
        outcome = members[doubt.index][0]
        outcome.doubt = doubt
        tried = outcome.entry is not None and bool(outcome.entry.retry)
        if tried or doubt.excess < RETRY_FROM:
            continue
        nearest = trusted[np.argsort(np.abs(trusted - doubt.index), kind="stable")]
        retry(outcome, [members[index][1] for index in nearest], _Fits(features, doubt.index))


@dataclass(frozen=True)
class _Fits:
    features: Sequence[Features]
    index: int

    def __call__(self, thumbnail: Thumbnail) -> bool:
        changed = [*self.features]
        changed[self.index] = measure(thumbnail)
        return all(doubt.index != self.index for doubt in find_doubts(changed))


def _thumbnail_of(outcome: PhotoOutcome) -> Thumbnail | None:
    """Return the thumbnail of a photo, its mask empty where no subject was found; None if it cannot be read."""
    if outcome.entry is not None:
        return outcome.entry.thumbnail
    if not isinstance(outcome.problem, NoSubject):
        return None
    try:
        photo = read_working(read_photo(outcome.item.photo))
    except UnflatError:
        return None
    return make_thumbnail(photo, encode_png(np.zeros(photo.shape[:2], np.uint8)))
