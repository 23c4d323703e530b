"""What a depth backend is.

Convention: every backend answers relative inverse depth: larger is nearer, float32, no unit, scale and shift unknown
and different from picture to picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.common.arrays import RGB, InverseDepth
from services.common.backends.backend_info import BackendInfo
from services.common.backends.batching import Batcher, BatchOptions

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_BATCH = 8  # pictures; a GPU is busy with fewer, and one picture's wait stays short


def go_on() -> None:
    """Check nothing: nobody can leave."""


@dataclass(frozen=True)
class Batching:
    """How concurrent calls share one run of the network.

    Args:
        most: pictures in a run; 0 takes `GPU_BATCH` on a GPU, and 1 on a CPU, which one picture keeps busy: there eight
            at once gained 1.03 to 1.05 times (`python -m bench batching`).
        patience_s: how long the first waits for others.
        observe: called with the size of each batch, for a metric.
    """

    most: int = 0
    patience_s: float = 0.005
    observe: Callable[[int], None] = lambda _: None

    def open(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        is_out_of_memory: Callable[[BaseException], bool],
        *,
        on_gpu: bool,
    ) -> Batcher[Item, Result]:
        """Return a batcher of this kind for a network that runs on a GPU or not."""
        most = self.most or (GPU_BATCH if on_gpu else 1)
        return Batcher(run, BatchOptions(most, self.patience_s if most > 1 else 0.0), is_out_of_memory, self.observe)


class Backend(BackendInfo, Protocol):
    """A depth network. The properties tell what really runs, and are final once `load` has returned."""

    def load(self) -> None:
        """Load the network and run it once on a synthetic picture; a second call does nothing. Thread-safe.

        Raises:
            StageUnavailable: a library or file is missing, or the file is not what it should be.
        """

    def estimate(self, rgb: RGB, check: Callable[[], None] = go_on) -> InverseDepth:
        """Return (H, W) float32 raw values at the size of `rgb`, larger is nearer. Thread-safe; needs `load` first.

        Args:
            rgb: (H, W, 3) uint8.
            check: raises when nobody waits any longer; called while the photo waits for its turn in a batch.
        """

    def note(self, width_px: int, height_px: int) -> str:
        """Return one sentence about what is special at this photo size, or an empty string."""
