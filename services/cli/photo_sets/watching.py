"""Photos as they come: told once they are whole.

No system says everywhere that a writer is done (a camera on a cable, a copy over the network, a browser), so a file
counts as whole when its size and time have not changed for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from services.cli.photo_files import is_picture

SETTLE_S = 1.0  # without change; a camera that pauses longer in the midst of a file is seen again when it goes on
_LOOK_MS = 250


class Settling:
    """Files that are being written, until they are whole.

    Args:
        settle_s: so long a file must not have changed.
    """

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._waiting: dict[Path, tuple[tuple[int, int], float]] = {}

    def saw(self, paths: Iterable[Path]) -> None:
        """Note files that appeared or changed."""
        for path in paths:
            self._waiting.setdefault(path, ((-1, -1), 0.0))

    def whole(self, now_s: float) -> list[Path]:
        """Return files that have become whole, each once; a file that is gone is forgotten."""
        ready = []
        for path, (state, since_s) in list(self._waiting.items()):
            try:
                found = path.stat()
            except OSError:
                del self._waiting[path]
                continue
            seen = (found.st_size, found.st_mtime_ns)
            if seen != state:
                self._waiting[path] = (seen, now_s)
            elif found.st_size and now_s - since_s >= self._settle_s:
                ready.append(path)
                del self._waiting[path]
        return sorted(ready)


def watch_photos(folders: Sequence[Path], first: Iterable[Path], settling: Settling) -> Iterator[list[Path]]:
    """Yield photos as they become whole, until Ctrl-C.

    Args:
        folders: what is watched, with all folders below.
        first: photos that are there already.
        settling: judges when a file is whole.
    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    import watchfiles

    settling.saw(first)
    changes = watchfiles.watch(*folders, rust_timeout=_LOOK_MS, yield_on_timeout=True, debounce=_LOOK_MS, step=50)
    yield from settle(({Path(path) for _, path in change} for change in changes), settling, time.monotonic)


def settle(changes: Iterable[Collection[Path]], settling: Settling, clock: Callable[[], float]) -> Iterator[list[Path]]:
    """Yield the pictures among `changes` as they become whole."""
    for changed in changes:
        settling.saw(path for path in changed if is_picture(path))
        ready = settling.whole(clock())
        if ready:
            yield ready
