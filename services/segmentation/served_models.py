"""Which model answers a request: the one that the service was started for, or another one that the request names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches

from services.common.backends.backend_info import BackendInfo
from services.common.errors import InvalidOption, ModelMissing, StageUnavailable
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger
from services.segmentation.backends.base import Backend
from services.segmentation.backends.catalogue import FAMILIES
from services.segmentation.backends.model_pool import ModelPool, PoolObserver

STAGE = "segmentation"
_log = get_logger()


class ServedModels:
    """The service's own model, and beside it those that requests name, as far as the budget goes.

    Args:
        own: returns what a receipt says of the own model, or raises why there is none.
        pool: loads and keeps them.
        setting: what the service was started for, as its setting says it: `auto`, …
    """

    def __init__(self, own: Callable[[], BackendInfo], pool: ModelPool, setting: str) -> None:
        self.own = own
        self._pool = pool
        self._setting = setting

    @classmethod
    def only(cls, backend: Backend) -> ServedModels:
        """Return one loaded model, for all requests that do not name another."""

        def open_model(name: str) -> Backend:
            if name != backend.name:
                raise ModelMissing(f"model {name} does not run here, {backend.name} does", field="model")
            return backend

        return cls(lambda: backend, ModelPool(open_model, 0, backend.name), backend.name)

    @contextmanager
    def use(self, asked: str, check: Callable[[], None]) -> Iterator[Backend]:
        """Yield the model that a request asks for, warm, for the body; empty is the service's own.

        Raises:
            InvalidOption: no model has this name.
            ModelMissing: it does not run here.
        """
        name = resolve_model(asked, self._setting, self.own().name)
        with ExitStack() as held:
            try:
                backend = held.enter_context(self._pool.use(name, check))
            except StageUnavailable as problem:
                if name == self._setting:
                    raise
                # The service works: that another model does not must not open the breaker before it.
                raise ModelMissing(problem.message, field="model") from None
            yield backend


class PoolMetrics(PoolObserver):
    """Puts what is loaded and what leaves into metrics and log."""

    def loaded(self, backend: Backend, size_bytes: int, seconds: float) -> None:
        """Show the model, its size, and say what was asked for and is not so."""
        metrics.MODEL_INFO.labels(*_labels(backend)).set(1)
        metrics.MODEL_BYTES.labels(STAGE, backend.name).set(size_bytes)
        facts = {"backend": backend.name, "device": backend.device, "dtype": backend.dtype}
        _log.info("model loaded", **facts, mb=size_bytes >> 20, seconds=round(seconds, 3))
        for note in backend.notes:
            _log.warning("not as asked for", backend=backend.name, reason=note)

    def evicted(self, backend: Backend) -> None:
        """Take the model out of the metrics."""
        metrics.MODEL_INFO.remove(*_labels(backend))
        metrics.MODEL_BYTES.remove(STAGE, backend.name)
        metrics.MODEL_EVICTIONS.labels(STAGE).inc()
        _log.info("model evicted", backend=backend.name)


def resolve_model(asked: str, setting: str, running: str) -> str:
    """Return the backend's name that a request means; `setting` where it means the service's own.

    Files of the machine cannot be named: only what the catalogue knows, or what runs anyway.

    Args:
        asked: `u2net`, `rembg:u2net`, `grabcut`, `auto`; empty is the service's own.
        setting: how the service's own is opened.
        running: its full name.

    Raises:
        InvalidOption: no model has this name.
    """
    if asked in ("", "auto", setting, running) or asked == running.partition(":")[2]:
        return setting
    if asked == "grabcut":
        return asked
    family = asked.removeprefix("rembg:")
    if family in FAMILIES:
        return f"rembg:{family}"
    near = get_close_matches(family, FAMILIES, n=3, cutoff=0.5) or [*FAMILIES, "grabcut"]
    raise InvalidOption(f"there is no model {asked[:60]!r}; near names: {', '.join(near)}", field="model")


def _labels(backend: Backend) -> tuple[str, ...]:
    return STAGE, backend.name, backend.device, backend.dtype, backend.digest[:12], backend.licence
