"""`unflat mesh` and `unflat depth`: photos in, files out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from services.cli.jobs import Done, Tell, connect, debug_files, follow, receipt_json, run_jobs
from services.cli.options import (
    DebugOption,
    DepthOption,
    DepthQuality,
    DepthQualityOption,
    Inputs,
    JsonOption,
    MaskOption,
    MeshFormat,
    ModelOption,
    Out,
    PercentileOption,
    Preset,
    PresetOption,
    ServerOption,
    Strategy,
    StrategyOption,
    Texture,
    TimeoutOption,
    files_read,
    mask_wishes,
)
from services.cli.outputs import Item, keep_inputs, write_all
from services.cli.preview import preview_sheet
from services.cli.tables import make_console
from services.common.arrays import InverseDepth
from services.common.client import MeshResult, UnflatClient
from services.common.drawing.depth_colours import colour_depth
from services.common.errors import InvalidOption
from services.common.options import MeshOptions

_HERE = Path()


def mesh(
    photos: Inputs,
    out: Out = _HERE,
    strategy: StrategyOption = Strategy.auto,
    depth_percentile: PercentileOption = "auto",
    depth: DepthOption = "on",
    depth_quality: DepthQualityOption = DepthQuality.standard,
    model: ModelOption = "",
    mask: MaskOption = None,
    preset: PresetOption = Preset.balanced,
    format: Annotated[MeshFormat, typer.Option(help="Format of the mesh.")] = MeshFormat.glb,  # noqa: A002
    resolution: Annotated[
        int | None, typer.Option(min=32, max=1024, help="Cells along the longest side of the grid.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Iso-level of the density (triposr only).")] = None,
    texture: Annotated[Texture, typer.Option(help="Colours a vertex, or a baked atlas.")] = Texture.vertex,
    texture_resolution: Annotated[int | None, typer.Option(min=256, max=4096, help="Side of the atlas in px.")] = None,
    size_mm: Annotated[float | None, typer.Option(min=1e-3, max=1e6, help="Largest extent in millimetres.")] = None,
    faces: Annotated[int | None, typer.Option(min=100, max=2_000_000, help="Most faces.")] = None,
    smooth: Annotated[
        int | None, typer.Option(min=0, max=100, help="Rounds of smoothing that keeps the volume.")
    ] = None,
    stand: Annotated[bool, typer.Option("--stand", help="Stand it on y = 0 instead of centring it.")] = False,
    preview: Annotated[
        bool, typer.Option(help="Also write <stem>-cutout.png and a sheet, <stem>-preview.png.")
    ] = False,
    debug: DebugOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Turn photos into meshes: <stem>.glb and the receipt <stem>.json."""
    wishes = mask_wishes(preset, strategy, depth_percentile, depth, mask, depth_quality, model)
    asked = MeshOptions(
        format.value,
        texture.value,
        resolution,
        threshold,
        texture_resolution,
        size_mm=size_mm,
        faces=faces,
        smooth=smooth,
        placement="standing" if stand else "centred",
    )

    def work(client: UnflatClient, item: Item, photo: bytes, tell: Tell) -> Done:
        events = client.stream_mesh(photo, mask=wishes, mesh=asked, debug=debug is not None)
        made = follow(events, MeshResult, tell)
        suffix = ".zip" if made.data.startswith(b"PK") else f".{made.format}"
        files = {item.output(suffix): made.data, item.output(".json"): receipt_json(made.receipt)}
        if preview:
            tell("preview", 0.99)
            files[item.output("-cutout.png")] = made.cutout
            sheet = preview_sheet(photo, made.cutout, made.data, made.format)
            files[item.output("-preview.png")] = sheet
        files |= debug_files(debug, item, made.debug)
        return Done(made.receipt, write_all(files))

    raise typer.Exit(run_jobs(photos, out, server, timeout, as_json, work, files_read(depth, mask)))


def depth(
    photo: Annotated[Path, typer.Argument(help="A photo.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="FILE.png (coloured, or 16-bit with --raw) or FILE.npz.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="16-bit grey instead of colours.")] = False,
    depth_quality: DepthQualityOption = DepthQuality.standard,
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
        found, stage = client.estimate_depth(data, quality=depth_quality.value)
    out_bytes = io.BytesIO()
    if target.suffix.lower() == ".npz":
        np.savez_compressed(out_bytes, depth=found)
    else:
        Image.fromarray(_sixteen_bits(found) if raw else colour_depth(found)).save(out_bytes, "PNG")
    target = keep_inputs(target, [photo], "depth")
    write_all({target: out_bytes.getvalue()})
    console.print(f"{stage.report.backend} on {stage.report.device}: wrote {target}", highlight=False, markup=False)


def _sixteen_bits(depth: InverseDepth) -> np.ndarray[Any, np.dtype[np.uint16]]:
    low, high = float(np.nanmin(depth)), float(np.nanmax(depth))
    return np.asarray(np.rint((depth - low) / max(high - low, 1e-9) * 65535), dtype=np.uint16)
