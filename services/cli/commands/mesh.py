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
    Inputs,
    JsonOption,
    MaskOption,
    Out,
    ServerOption,
    TimeoutOption,
    files_read,
    takes_options,
    with_files,
)
from services.cli.photo_files import PhotoItem, PhotoOutputs, debug_files, receipt_json
from services.cli.preview import draw_preview
from services.common.client import Client, MeshResult
from services.common.options import MaskOptions, MeshOptions

_HERE = Path()


@takes_options
def mesh(
    photos: Inputs,
    mask_options: MaskOptions,
    mesh_options: MeshOptions,
    out: Out = _HERE,
    depth: DepthOption = "on",
    mask: MaskOption = None,
    stand: Annotated[bool, typer.Option("--stand", help="Short for --placement standing.")] = False,
    preview: Annotated[
        bool, typer.Option(help="Also write <stem>-cutout.png and a sheet, <stem>-preview.png.")
    ] = False,
    debug: DebugOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Turn photos into meshes: <stem>.glb and the receipt <stem>.json."""
    if stand:
        mesh_options = mesh_options.model_copy(update={"placement": "standing"})
    maker = MeshMaker(with_files(mask_options, depth, mask), mesh_options, preview, debug)
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
