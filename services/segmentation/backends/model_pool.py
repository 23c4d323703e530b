"""Several models in one process, within a budget of memory.

One load a model, however many calls want it first. When the next one would not fit, the least recently used leaves; a
model that a call works with stays. A model's size is the growth of the process (and of the GPUs) while it was loaded
and warmed up, and never less than its file.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.common.backends.gpu_memory import find_gpus
from services.common.errors import ModelMissing
from services.segmentation.backends.base import Backend

_CHECK_S = 0.5  # how often a waiting call checks whether its caller is still there


class PoolObserver:
    """Told what is loaded and what is evicted; this one does nothing with it."""

    def loaded(self, backend: Backend, size_bytes: int, seconds: float) -> None:
        """A model is there."""

    def evicted(self, backend: Backend) -> None:
        """A model had to make room."""


@dataclass(eq=False)
class _Entry:
    """A model, or one that is being loaded (`backend` is None) or could not be (`problem` is not)."""

    name: str
    users: int = 1
    backend: Backend | None = None
    size_bytes: int = 0
    problem: BaseException | None = None


class ModelPool:
    """Models by name, loaded when they are first used.

    Args:
        open_model: returns the backend of a name, not yet loaded.
        budget_bytes: of all models together.
        own: the model that is served in any case, even where it needs more than the budget alone.
        observer: told of loads and evictions, one at a time.
        memory: bytes in use now; another one in tests.
    """

    def __init__(
        self,
        open_model: Callable[[str], Backend],
        budget_bytes: int,
        own: str,
        observer: PoolObserver | None = None,
        memory: Callable[[], int] | None = None,
    ) -> None:
        self._open_model = open_model
        self._budget_bytes = budget_bytes
        self._own = own
        self._observer = observer or PoolObserver()
        self._memory = memory or memory_in_use
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._sizes: dict[str, int] = {}  # as measured the last time, also of those that left
        self._changed = threading.Condition()
        self._loading = False  # one at a time, so that growth has one cause

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models that are there, least recently used first."""
        with self._changed:
            return tuple(entry.name for entry in self._entries.values() if entry.backend is not None)

    @contextmanager
    def use(self, name: str, check: Callable[[], None] = lambda: None) -> Iterator[Backend]:
        """Yield the warm model of a name, which stays for the body.

        Args:
            name: what `open_model` knows it by.
            check: raises when the caller should not wait any longer.

        Raises:
            UnflatError: it cannot be had; what `open_model` and its `load` raise.
            ModelMissing: it needs more than the budget.
        """
        entry, is_first = self._join(name)
        try:
            if is_first:
                self._load(entry, check)
            else:
                self._wait_for(entry, check)
            assert entry.backend is not None
            yield entry.backend
        finally:
            with self._changed:
                entry.users -= 1
                self._evict_down_to(self._budget_bytes, keep=self._own)
                self._changed.notify_all()

    def _join(self, name: str) -> tuple[_Entry, bool]:
        with self._changed:
            entry = self._entries.get(name)
            if entry is None:
                entry = self._entries[name] = _Entry(name)
                return entry, True
            entry.users += 1
            self._entries.move_to_end(name)
            return entry, False

    def _wait_for(self, entry: _Entry, check: Callable[[], None]) -> None:
        """Wait until who came first has loaded it."""
        with self._changed:
            while entry.backend is None and entry.problem is None:
                check()
                self._changed.wait(_CHECK_S)
        if entry.problem is not None:
            raise entry.problem

    def _load(self, entry: _Entry, check: Callable[[], None]) -> None:
        has_turn = False
        try:
            self._take_turn(check)
            has_turn = True
            backend = self._open_model(entry.name)
            self._make_room(entry.name, backend.file_bytes, check)
            before, begin = self._memory(), time.perf_counter()
            backend.load()
            grown = self._memory() - before
            size_bytes = max(grown, backend.file_bytes, 0)
            with self._changed:
                entry.size_bytes = self._sizes[entry.name] = size_bytes
                entry.backend = backend
                self._observer.loaded(backend, size_bytes, time.perf_counter() - begin)
                self._evict_down_to(self._budget_bytes, keep=self._own)
        except BaseException as problem:
            with self._changed:
                entry.problem = problem
                del self._entries[entry.name]
            raise
        finally:
            with self._changed:
                self._loading = self._loading and not has_turn
                self._changed.notify_all()

    def _take_turn(self, check: Callable[[], None]) -> None:
        with self._changed:
            while self._loading:
                check()
                self._changed.wait(_CHECK_S)
            self._loading = True

    def _make_room(self, name: str, file_bytes: int, check: Callable[[], None]) -> None:
        """Let idle models go until this one fits; wait for those in use."""
        needed = max(file_bytes, self._sizes.get(name, 0))
        if needed > self._budget_bytes and name != self._own:
            raise ModelMissing(
                f"{name} needs {needed >> 20} MB and {self._budget_bytes >> 20} are allowed (--model-budget-mb)",
                field="model",
            )
        with self._changed:
            while True:
                self._evict_down_to(max(self._budget_bytes - needed, 0))
                total = sum(entry.size_bytes for entry in self._entries.values())
                if total + needed <= self._budget_bytes or total == 0:
                    return
                check()
                self._changed.wait(_CHECK_S)

    def _evict_down_to(self, size_bytes: int, keep: str = "") -> None:
        """Let the least recently used idle models go until the others are no larger than this; the lock is held.

        The model `keep` stays where it is the only one, whatever it needs.
        """
        total = sum(entry.size_bytes for entry in self._entries.values())
        for entry in list(self._entries.values()):
            if total <= size_bytes or (entry.name == keep and entry.size_bytes == total):
                return
            if entry.users == 0 and entry.backend is not None:
                del self._entries[entry.name]
                total -= entry.size_bytes
                entry.backend.close()
                self._observer.evicted(entry.backend)


def memory_in_use() -> int:
    """Return the resident bytes of this process and what all GPUs hold; 0 where the system does not tell.

    GPUs tell only what all processes hold: another one that starts at the same moment counts as well.
    """
    try:
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _page_bytes()
    except (OSError, ValueError, IndexError):  # not Linux: files are counted alone
        resident = 0
    return resident + sum(gpu.used_bytes() for gpu in find_gpus())


def _page_bytes() -> int:
    import resource

    return resource.getpagesize()
