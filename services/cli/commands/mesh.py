"""`unflat mesh`: photos to meshes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.batch import ReportProgress, run_batch, wait_for_result
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
from services.cli.photo_files import PhotoItem, PhotoOutputs, debug_files, receipt_json
from services.cli.preview import draw_preview
from services.common.client import Client, MeshResult
from services.common.options import MaskOptions, MeshOptions

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
    maker = MeshMaker(
        mask_wishes(preset, strategy, depth_percentile, depth, mask, depth_quality, model),
        MeshOptions(
            format.value, texture.value, resolution, threshold, texture_resolution, size_mm=size_mm, faces=faces,
            smooth=smooth, placement="standing" if stand else "centred",
        ),
        preview,
        debug,
    )  # fmt: skip
    raise typer.Exit(run_batch(photos, out, server, timeout, as_json, maker.make, files_read(depth, mask)))


@dataclass(frozen=True)
class MeshMaker:
    """Makes the files of one photo, as the options ask."""

    mask: MaskOptions
    mesh: MeshOptions
    preview: bool
    debug: Path | None

    def make(self, client: Client, item: PhotoItem, photo: bytes, report: ReportProgress) -> PhotoOutputs:
        """Ask for the mesh, and draw the preview where one is wanted."""
        events = client.stream_mesh(photo, mask=self.mask, mesh=self.mesh, debug=self.debug is not None)
        result = wait_for_result(events, MeshResult, report)
        suffix = ".zip" if result.data.startswith(b"PK") else f".{result.format}"
        files = {item.output(suffix): result.data, item.output(".json"): receipt_json(result.receipt)}
        if self.preview:
            report("preview", 0.99)
            files[item.output("-cutout.png")] = result.cutout
            preview = draw_preview(photo, result.cutout, result.data, result.format)
            files[item.output("-preview.png")] = preview
        return PhotoOutputs(result.receipt, files | debug_files(self.debug, item, result.debug))
