"""`make bench-gpu`: TripoSR and Depth-Anything-V2 on a CUDA device, beside the device's own ceilings.

Without a device it says so and ends with 0. The ceilings are measured, not read from a data sheet: copying a large
array, and one large product of matrices in each format.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.memory import forget_peak, peak_mb
from bench.random_triposr import LEVEL, write_random
from bench.section import Section
from bench.timing import Spread, device_name, spread

BATCHES = (1, 2, 4, 8, 16)
DTYPES = ("float32", "bfloat16")
FORWARD_FLOP = 2.96e12  # of one picture: counted from the shapes, two for a multiplication and an addition
_COPY_BYTES = 1 << 30
_MATRIX = 8192


def main() -> int:
    """Measure where there is a device, and say so where there is none."""
    if find_spec("torch") is None:
        sys.stdout.write("bench-gpu: left out, PyTorch is not here (make torch)\n")
        return 0
    import torch

    if not torch.cuda.is_available():
        sys.stdout.write("bench-gpu: left out, there is no CUDA device here\n")
        return 0
    from bench.gpu_depth import measure_depth

    figures = Path(__file__).parent / "figures"
    for name, section in (("gpu", measure_device("cuda", BATCHES)), ("gpu-depth", measure_depth("cuda", BATCHES))):
        section.write(figures / f"{name}.json")
        sys.stdout.write(section.markdown())
    return 0


def measure_device(
    device: str, batches: tuple[int, ...], runs: int = 7, folder: Path | None = None, resolution: int = 256
) -> Section:
    """Return forward, surface and memory by format and batch, and the share of the measured matrix rate.

    Args:
        device: of torch.
        batches: pictures at a time.
        runs: of each.
        folder: weights; random ones at full size are made when none is given.
        resolution: of the surface.
    """
    from services.mesher.extract import extract_surface
    from services.mesher.triposr.model import DTYPES as FORMATS
    from services.mesher.triposr.model import TripoSR

    with tempfile.TemporaryDirectory() as text:
        if folder is None:
            write_random(folder := Path(text))
        rows = []
        for dtype in DTYPES:
            ceiling = _matrix_rate(device, FORMATS[dtype])
            network = TripoSR.from_checkpoint(folder, device, dtype)  # type: ignore[arg-type]
            for batch in batches:
                images = _pictures(batch, network.config.image_px, device)
                forward, peak_mb = _forward(network, images, device, runs)
                each = forward.median / batch
                share = FORWARD_FLOP / each / ceiling
                cells = (forward.ms(), f"{1 / each:.1f}", f"{peak_mb:.0f}", f"{share:.0%}")
                rows.append((f"{dtype}, batch {batch}", *cells))
            field = network.reconstruct(images[:1])
            find = partial(extract_surface, field.density, LEVEL, resolution)
            seconds = _timed(find, device, runs)
            rows.append((f"{dtype}, surface at {resolution}³", seconds.ms(), f"{1 / seconds.median:.1f}", "", ""))
    return Section(
        title="TripoSR on a GPU",
        method=f"{device_name(device)}; full size, random weights that show a body. Ceilings measured on it: copying "
        f"{_copy_rate(device) / 1e9:.0f} GB/s; the last column is the share of the rate of one large product of "
        "matrices in the same format.",
        columns=("what", "ms", "a second", "peak MB", "of the matrix rate"),
        rows=tuple(rows),
        command="make bench-gpu",
    )


def _forward(network: Any, images: Any, device: str, runs: int) -> tuple[Spread, float]:
    import torch

    forget_peak(device)
    with torch.inference_mode():
        seconds = _timed(lambda: network(images), device, runs)
    return seconds, peak_mb(device)


def _timed(work: Callable[[], object], device: str, runs: int) -> Spread:
    """Return wall times with the device waited for before and after."""
    seconds = []
    for number in range(runs + 2):
        _wait(device)
        begin = time.perf_counter()
        work()
        _wait(device)
        if number >= 2:
            seconds.append(time.perf_counter() - begin)
    return spread(seconds)


def _matrix_rate(device: str, dtype: Any) -> float:
    """Return floating-point operations a second of one large product."""
    import torch

    side = _MATRIX if device.startswith("cuda") else 256
    a = torch.ones(side, side, device=device, dtype=dtype)
    return 2 * side**3 / _timed(lambda: a @ a, device, 5).median


def _copy_rate(device: str) -> float:
    """Return bytes a second, read and written."""
    import torch

    size = _COPY_BYTES if device.startswith("cuda") else 1 << 20
    a = torch.zeros(size, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * size / _timed(lambda: b.copy_(a), device, 5).median


def _pictures(batch: int, side_px: int, device: str) -> Any:
    import torch

    return torch.rand(batch, 3, side_px, side_px, generator=torch.Generator().manual_seed(5)).to(device)


def _wait(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
