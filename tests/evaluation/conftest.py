"""The commands of the evaluation run OpenCV on one thread, for this process; a test leaves it as it was.

With another number of threads OpenCV sums in another order: meshes differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest


@pytest.fixture(autouse=True)
def _threads_of_opencv() -> Iterator[None]:
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)
