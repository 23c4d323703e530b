"""Depth-Anything-V2 on a device of torch: arithmetic by batch size, with its memory and its error."""

from __future__ import annotations

from bench.against_reference_depth import SIDE_PX, picture, random_weights
from bench.memory import forget_peak, peak_mb
from bench.section import Section
from bench.timing import device_name, measure
from services.depth.depth_anything_v2.config import CONFIGS, Config
from services.depth.depth_anything_v2.openvino_engine import Dtype
from services.depth.depth_anything_v2.trial import error_share

DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16", "float16")


def measure_depth(
    device: str, batches: tuple[int, ...], runs: int = 9, sizes: dict[str, Config] | None = None, side_px: int = SIDE_PX
) -> Section:
    """Return the time of a run and of a picture, peak memory and error against float32 by size, format and batch.

    Args:
        device: of torch.
        batches: pictures at a time.
        runs: of each.
        sizes: networks by name; the published ones when None.
        side_px: of the pictures, a multiple of 14, at most 518.
    """
    from services.depth.depth_anything_v2.torch_engine import TorchEngine

    rows = []
    for size, config in (sizes or CONFIGS).items():
        weights = random_weights(config)
        exact = None
        for dtype in DTYPES:
            engine = TorchEngine(weights, config, device, dtype)
            answer = engine.infer(picture(1, side_px))[0]
            exact = answer if exact is None else exact
            error = f"{error_share(answer, exact):.1e}"
            for batch in batches:
                forget_peak(device)
                pictures = picture(batch, side_px)
                # Times end with the map in the host's memory. A shape is recorded at its second run.
                time = measure(lambda engine=engine, p=pictures: engine.infer(p), runs, warm_up=3)  # type: ignore[misc]
                each = time.median / batch
                rows.append(
                    (f"{size}, {dtype}, batch {batch}", time.ms(), f"{1 / each:.1f}", f"{peak_mb(device):.0f}", error)
                )
            del engine
    return Section(
        title="Depth-Anything-V2 on a GPU",
        method=f"{device_name(device)}; {side_px} × {side_px} px, random weights, from a picture in the host's memory "
        "to its map there. Error: the largest difference from float32, in ranges of the map.",
        columns=("what", "ms", "a second", "peak MB", "error"),
        rows=tuple(rows),
        command="make bench-gpu",
    )
