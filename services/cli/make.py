"""`unflat mesh`, `unflat cutout` and `unflat depth`: photos in, files out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from PIL import Image

from services.cli.jobs import Done, Tell, connect, run_jobs
from services.cli.options import (
    DebugOption,
    DepthOption,
    ImageFormat,
    Inputs,
    JsonOption,
    MaskOption,
    MeshFormat,
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
from services.cli.outputs import Item, keep_inputs, write
from services.cli.preview import preview_sheet
from services.cli.tables import make_console
from services.common.arrays import InverseDepth
from services.common.client import CutoutMade, CutoutWishes, MeshMade, MeshWishes, Progress, UnflatClient
from services.common.depth_colours import colour_depth
from services.common.errors import Internal, InvalidOption
from services.common.receipts import receipt_to_dict

M = TypeVar("M", MeshMade, CutoutMade)
_HERE = Path()


def mesh(
    photos: Inputs,
    out: Out = _HERE,
    strategy: StrategyOption = Strategy.auto,
    depth_percentile: PercentileOption = "auto",
    depth: DepthOption = "on",
    mask: MaskOption = None,
    preset: PresetOption = Preset.balanced,
    format: Annotated[MeshFormat, typer.Option(help="Format of the mesh.")] = MeshFormat.glb,  # noqa: A002
    resolution: Annotated[
        int | None, typer.Option(min=32, max=1024, help="Cells along the longest side of the grid.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Iso-level of the density (triposr only).")] = None,
    texture: Annotated[Texture, typer.Option(help="Colours a vertex, or a baked atlas.")] = Texture.vertex,
    texture_resolution: Annotated[int | None, typer.Option(min=256, max=8192, help="Side of the atlas in px.")] = None,
    preview: Annotated[
        bool, typer.Option(help="Also write <stem>-cutout.png and a sheet, <stem>-preview.png.")
    ] = False,
    debug: DebugOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Turn photos into meshes: <stem>.glb and the receipt <stem>.json."""
    wishes = mask_wishes(preset, strategy, depth_percentile, depth, mask)
    asked = MeshWishes(format.value, texture.value, resolution, threshold, texture_resolution)

    def work(client: UnflatClient, item: Item, photo: bytes, tell: Tell) -> Done:
        events = client.stream_mesh(photo, mask=wishes, mesh=asked, debug=debug is not None)
        made = _follow(events, MeshMade, tell)
        suffix = ".zip" if made.data.startswith(b"PK") else f".{made.format}"
        files = {item.output(suffix): made.data, item.output(".json"): _json(receipt_to_dict(made.receipt))}
        if preview:
            tell("preview", 0.99)
            files[item.output("-cutout.png")] = made.cutout
            sheet = preview_sheet(photo, made.cutout, made.data, made.format)
            files[item.output("-preview.png")] = sheet
        files |= _debug_files(debug, item, made.debug)
        return Done(made.receipt, _write_all(files))

    raise typer.Exit(run_jobs(photos, out, server, timeout, as_json, work, files_read(depth, mask)))


def cutout(
    photos: Inputs,
    out: Out = _HERE,
    mask_only: Annotated[bool, typer.Option(help="Write the mask instead of the cutout.")] = False,
    strategy: StrategyOption = Strategy.auto,
    depth_percentile: PercentileOption = "auto",
    depth: DepthOption = "on",
    mask: MaskOption = None,
    preset: PresetOption = Preset.balanced,
    format: Annotated[ImageFormat, typer.Option(help="Format of the picture.")] = ImageFormat.png,  # noqa: A002
    background: Annotated[str, typer.Option(help="R,G,B to composite on; empty keeps the alpha.")] = "",
    matting: Annotated[bool | None, typer.Option(help="Alpha matting along the edge; by preset.")] = None,
    debug: DebugOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Cut subjects out of photos: <stem>.png with straight alpha (or the mask), and the receipt <stem>.json."""
    wishes = mask_wishes(preset, strategy, depth_percentile, depth, mask)
    asked = CutoutWishes(mask_only, format.value, _colour(background), matting)

    def work(client: UnflatClient, item: Item, photo: bytes, tell: Tell) -> Done:
        events = client.stream_cutout(photo, mask=wishes, cutout=asked, debug=debug is not None)
        made = _follow(events, CutoutMade, tell)
        suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(format.value, f".{format.value}")
        picture = item.output(suffix, "mask" if mask_only else "cutout")
        files = {picture: made.data, item.output(".json"): _json(receipt_to_dict(made.receipt))}
        files |= _debug_files(debug, item, made.debug)
        return Done(made.receipt, _write_all(files))

    raise typer.Exit(run_jobs(photos, out, server, timeout, as_json, work, files_read(depth, mask)))


def depth(
    photo: Annotated[Path, typer.Argument(help="A photo.", show_default=False)],
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
        found, stage = client.estimate_depth(data)
    out_bytes = io.BytesIO()
    if target.suffix.lower() == ".npz":
        np.savez_compressed(out_bytes, depth=found)
    else:
        Image.fromarray(_sixteen_bits(found) if raw else colour_depth(found)).save(out_bytes, "PNG")
    target = keep_inputs(target, [photo], "depth")
    _write_all({target: out_bytes.getvalue()})
    console.print(f"{stage.report.backend} on {stage.report.device}: wrote {target}", highlight=False, markup=False)


def _sixteen_bits(depth: InverseDepth) -> np.ndarray[Any, np.dtype[np.uint16]]:
    low, high = float(np.nanmin(depth)), float(np.nanmax(depth))
    return np.asarray(np.rint((depth - low) / max(high - low, 1e-9) * 65535), dtype=np.uint16)


def _follow(events: Iterator[Progress | M], kind: type[M], tell: Tell) -> M:
    for event in events:
        if isinstance(event, kind):
            return event
        if isinstance(event, Progress):
            tell(f"{event.stage}: {event.step}", event.fraction)
    raise Internal("the orchestrator ended without a result")


def _debug_files(folder: Path | None, item: Item, pictures: dict[str, bytes]) -> dict[Path, bytes]:
    if folder is None:
        return {}
    aside = replace(item, folder=folder)
    return {aside.output(f"-{name}.png", "debug"): png for name, png in pictures.items()}


def _write_all(files: dict[Path, bytes]) -> list[Path]:
    for path, data in files.items():
        try:
            write(path, data)
        except OSError as problem:
            raise InvalidOption(f"{path} cannot be written: {problem.strerror}") from None
    return list(files)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _colour(text: str) -> tuple[int, int, int] | None:
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) <= 255 for part in parts):
        raise InvalidOption(f"--background is {text!r}; wanted R,G,B of 0 to 255")
    return int(parts[0]), int(parts[1]), int(parts[2])
