"""The model of a stage, loaded beside the server: NOT_SERVING until warm, and with a reason if it cannot load.

A model that fails never ends the process: the port stays open, health says no, and the status says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from services.common.backends.backend_info import BackendInfo
from services.common.errors import StageUnavailable, UnflatError
from services.common.telemetry import metrics
from services.common.telemetry.logs import get_logger

B_co = TypeVar("B_co", bound=BackendInfo, covariant=True)
_log = get_logger()


class ModelHolder(Generic[B_co]):
    """Holds one backend from the moment it is warm.

    Args:
        stage: name for logs and metrics.
        load: opens, loads and warms the backend; what it raises becomes the reason.
    """

    def __init__(self, stage: str, load: Callable[[], B_co]) -> None:
        self._stage = stage
        self._load = load
        self._backend: B_co | None = None
        self._reason = f"{stage} is still loading its model"
        self._loading = True

    @property
    def backend(self) -> B_co | None:
        """The warm backend, or None."""
        return self._backend

    @property
    def reason(self) -> str:
        """Why there is no backend, in one sentence; empty when there is one."""
        return "" if self._backend is not None else self._reason

    @property
    def loading(self) -> bool:
        """Whether it is neither warm nor failed yet."""
        return self._loading

    def get(self) -> B_co:
        """Return the warm backend.

        Raises:
            StageUnavailable: there is none, with the reason.
        """
        if self._backend is None:
            raise StageUnavailable(self._reason)
        return self._backend

    def start(self, on_change: Callable[[bool], None]) -> threading.Thread:
        """Load in a thread of its own, then tell `on_change` whether the stage serves."""
        thread = threading.Thread(target=self._run, args=(on_change,), name="model-load", daemon=True)
        thread.start()
        return thread

    def _run(self, on_change: Callable[[bool], None]) -> None:
        begin = time.perf_counter()
        try:
            backend = self._load()
        except UnflatError as problem:
            self._reason, self._loading = problem.message, False
            _log.warning("not serving", reason=problem.message)
            on_change(False)
            return
        except Exception as problem:  # noqa: BLE001 - whatever a native library throws, the process stays up
            self._reason = f"{self._stage} could not load its model ({type(problem).__name__}); its log has the trace"
            self._loading = False
            _log.error("model failed to load", exc_info=problem)
            on_change(False)
            return
        seconds = time.perf_counter() - begin
        self._backend, self._loading = backend, False
        metrics.MODEL_LOAD_SECONDS.labels(self._stage).set(seconds)
        what = (backend.name, backend.device, backend.dtype, backend.digest[:12], backend.licence)
        metrics.MODEL_INFO.labels(self._stage, *what).set(1)
        _log.info(
            "serving", backend=backend.name, device=backend.device, seconds=round(seconds, 3), notes=list(backend.notes)
        )
        on_change(True)
