"""Where a photo's raw mask comes from: a file beside it, the exact mask damaged as a network would, or a backend."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from evaluation.sets import Item, read_mask
from evaluation.synthetic.corruptions import simulate_network
from services.common.arrays import RGB, Alpha
from services.common.errors import UnflatError
from services.common.imaging.working_size import resize
from services.common.models.model_store import ModelStore
from services.common.photos.decoding import decode_photo
from services.common.settings import StageSettings
from services.segmentation.backends.base import Backend, RawMask
from services.segmentation.backends.catalogue import BACKENDS, NetworkResources

SIMULATED = "simulated"  # a segmenter that damages the exact mask: what a network might say


class SuppliedMasks:
    """A segmentation backend that answers known photos with their supplied or simulated masks, others as `segmenter`.

    Args:
        photos: the encoded photos, each with its item.
        segmenter: a backend's name, or `SIMULATED`.
    """

    name, device, dtype, digest, licence = "supplied", "cpu", "uint8", "", ""
    notes: tuple[str, ...] = ()
    file_bytes = 0

    def __init__(self, photos: Iterable[tuple[bytes, Item]], segmenter: str) -> None:
        self._items: dict[bytes, Item] = {}
        self._segmenter = segmenter
        for photo, item in photos:
            with suppress(UnflatError):  # the pipeline will say what is wrong with the photo
                self._items[_key(decode_photo(photo).working)] = item

    def load(self) -> None:
        """Do nothing: the named backend is loaded where a photo needs it."""

    def close(self) -> None:
        """Do nothing."""

    def segment(self, rgb: RGB) -> RawMask:
        """Return the mask at the photo's working size."""
        item = self._items.get(_key(rgb))
        if item is None or not has_mask(item, self._segmenter):
            return open_segmenter(self._segmenter).segment(rgb)
        alpha = _mask_of(item, rgb.shape)
        return RawMask(alpha, float(alpha.max()))


def has_mask(item: Item, segmenter: str) -> bool:
    """Tell whether the item needs no segmenter: its mask is supplied, or simulated."""
    return item.mask is not None or (segmenter == SIMULATED and item.truth is not None)


@cache
def open_segmenter(name: str) -> Backend:
    """Return a loaded segmentation backend; each is loaded once a process."""
    backend = BACKENDS.open(name, NetworkResources(ModelStore(StageSettings().models).find))
    backend.load()
    return backend


def _mask_of(item: Item, shape: tuple[int, ...]) -> Alpha:
    if item.mask is not None:
        return resize(read_mask(item.mask), shape)
    assert item.truth is not None
    return simulate_network(resize(read_mask(item.truth), shape), zlib.crc32(item.name.encode()))


def _key(rgb: RGB) -> bytes:
    return hashlib.sha256(rgb.tobytes()).digest()
