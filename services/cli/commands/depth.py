"""`unflat depth`: a photo to its depth map."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from services.cli.connection import connect
from services.cli.console import make_console
from services.cli.options import ServerOption, TimeoutOption, takes_options
from services.cli.photo_files import keep_inputs, write_all
from services.common.arrays import InverseDepth
from services.common.drawing.depth_colours import colour_depth
from services.common.errors import InvalidOption
from services.common.options import DepthOptions


@takes_options
def depth(
    photo: Annotated[Path, typer.Argument(help="A photo.", show_default=False)],
    depth_options: DepthOptions,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="FILE.png (coloured, or 16-bit with --raw) or FILE.npz.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="16-bit grey instead of colours.")] = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Estimate the depth of a photo: a coloured map, a 16-bit picture, or the raw values."""
    target = Path(f"{photo.stem}-depth.png") if out is None else out
    if target.suffix.lower() not in (".png", ".npz"):
        raise InvalidOption(f"--out is {target}; wanted a name that ends in .png or .npz")
    try:
        data = photo.read_bytes()
    except OSError as problem:
        raise InvalidOption(f"{photo} cannot be read: {problem.strerror}") from None
    console = make_console(stderr=True)
    with connect(server, timeout, console) as client, console.status("estimating depth"):
        inverse_depth, stage = client.estimate_depth(data, depth=depth_options)
    target = keep_inputs(target, [photo], "depth")
    write_all({target: _encode(inverse_depth, target.suffix.lower(), raw)})
    console.print(f"{stage.report.backend} on {stage.report.device}: wrote {target}", highlight=False, markup=False)


def _encode(inverse_depth: InverseDepth, suffix: str, raw: bool) -> bytes:
    out = io.BytesIO()
    if suffix == ".npz":
        np.savez_compressed(out, depth=inverse_depth)
    else:
        Image.fromarray(_to_16_bits(inverse_depth) if raw else colour_depth(inverse_depth)).save(out, "PNG")
    return out.getvalue()


def _to_16_bits(inverse_depth: InverseDepth) -> np.ndarray[Any, np.dtype[np.uint16]]:
    low, high = float(np.nanmin(inverse_depth)), float(np.nanmax(inverse_depth))
    return np.asarray(np.rint((inverse_depth - low) / max(high - low, 1e-9) * 65535), dtype=np.uint16)
