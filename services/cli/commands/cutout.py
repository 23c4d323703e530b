"""`unflat cutout`: photos, or whole sets of them, to cutouts and masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.batch import ReportProgress, print_failure, print_json_result, run_batch, wait_for_result
from services.cli.connection import connect
from services.cli.console import make_console
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
from services.cli.photo_sets.journal import digest
from services.cli.photo_sets.mask_sidecars import MaskSidecar, Polarity, sidecar_path, sidecar_png
from services.cli.photo_sets.outcome import PhotoOutcome
from services.cli.photo_sets.photo_set import PhotoSet, SetOptions
from services.cli.photo_sets.summary import exit_code, print_summary, write_sheet
from services.common.client import Client, CutoutResult
from services.common.errors import Internal, InvalidOption
from services.common.options import CutoutOptions, MaskOptions

_HERE = Path()
_INTERRUPTED = 130  # what shells say of a program that Ctrl-C ended


@takes_options
def cutout(
    photos: Inputs,
    mask_options: MaskOptions,
    cutout_options: CutoutOptions,
    out: Out = _HERE,
    depth: DepthOption = "on",
    mask: MaskOption = None,
    mask_sidecar: Annotated[
        MaskSidecar | None, typer.Option(help="Also write masks/…, as this program expects them.")
    ] = None,
    mask_polarity: Annotated[
        Polarity, typer.Option(help="What white means in these masks; auto is the program's own.")
    ] = Polarity.auto,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Photos of a folder at a time.")] = 2,
    consistency: Annotated[
        bool, typer.Option(help="Flag views of a folder that stand out, and make them again with the set's colours.")
    ] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for more photos in the folder until Ctrl-C.")] = False,
    debug: DebugOption = None,
    as_json: JsonOption = False,
    server: ServerOption = None,
    timeout: TimeoutOption = 120.0,
) -> None:
    """Cut subjects out of photos: <stem>.png with straight alpha (or the mask), and the receipt <stem>.json.

    A folder is a set: worked through side by side, resumable, with a summary and a contact sheet at the end.
    """
    folders = [path for path in photos if path.is_dir()]
    if watch and not folders:
        raise InvalidOption("--watch wants a folder of photos")
    maker = CutoutMaker(
        with_files(mask_options, depth, mask),
        cutout_options.model_copy(update={"with_mask": bool(folders or mask_sidecar)}),
        mask_sidecar,
        mask_polarity,
        debug,
    )
    also_read = files_read(depth, mask)
    if not folders:
        raise typer.Exit(run_batch(photos, out, server, timeout, as_json, maker.make, also_read))
    options = SetOptions(photos, out, maker.options_digest(), also_read, jobs, consistency and mask is None, watch)
    raise typer.Exit(_run_set(maker, options, server, timeout, as_json))


@dataclass(frozen=True)
class CutoutMaker:
    """Makes the files of one photo, as the options ask."""

    mask: MaskOptions
    cutout: CutoutOptions
    sidecar: MaskSidecar | None
    polarity: Polarity
    debug: Path | None

    def planned(self, item: PhotoItem) -> list[Path]:
        """Return picture, receipt, and the mask beside."""
        suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(self.cutout.format, f".{self.cutout.format}")
        picture = item.output(suffix, "mask" if self.cutout.mask_only else "cutout")
        beside = [] if self.sidecar is None else [sidecar_path(item, self.sidecar)]
        return [picture, item.output(".json"), *beside]

    def make(
        self,
        client: Client,
        item: PhotoItem,
        photo: bytes,
        report: ReportProgress = lambda *_: None,
        proposed_mask: bytes = b"",
    ) -> PhotoOutputs:
        """Ask for the cutout; `proposed_mask`, an encoded grey picture, replaces segmentation."""
        options = self.mask.model_copy(update={"mask": proposed_mask}) if proposed_mask else self.mask
        events = client.stream_cutout(photo, mask=options, cutout=self.cutout, debug=self.debug is not None)
        result = wait_for_result(events, CutoutResult, report)
        if self.cutout.with_mask and not result.mask:
            raise Internal("the orchestrator sent no mask along; is it older than this command?")
        picture, receipt, *beside = self.planned(item)
        files = {picture: result.data, receipt: receipt_json(result.receipt)}
        if self.sidecar is not None:
            orientation = result.receipt.photo.exif_orientation
            files[beside[0]] = sidecar_png(result.mask, self.sidecar, self.polarity, orientation)
        return PhotoOutputs(result.receipt, files | debug_files(self.debug, item, result.debug), result.mask)

    def options_digest(self) -> str:
        """Return what stands for everything that is asked."""
        return digest(repr((self.mask, self.cutout, self.sidecar, self.polarity)).encode())[:16]


def _run_set(maker: CutoutMaker, options: SetOptions, server: str | None, timeout_s: float, as_json: bool) -> int:
    console = make_console(stderr=True)

    def on_photo(outcome: PhotoOutcome) -> None:
        if outcome.problem is not None:
            print_failure(console, as_json, outcome.item.photo, outcome.problem)
        elif outcome.receipt is not None and outcome.entry is not None:
            if as_json:
                files = [options.out / name for name in outcome.entry.files]
                print_json_result(outcome.item.photo, outcome.receipt, files)
            elif not console.is_terminal:
                console.print(f"made {outcome.item.photo}", highlight=False, soft_wrap=True, markup=False)

    with connect(server, timeout_s, console, "batch") as client:
        photo_set = PhotoSet(client, maker, options, console, on_photo)
        ended = photo_set.run()
    outcomes = [photo_set.outcomes[place] for place in sorted(photo_set.outcomes)]
    print_summary(console, outcomes)
    if outcomes:
        sheet = write_sheet(options.out, f"{', '.join(str(path) for path in options.inputs)}", outcomes)
        console.print(f"contact sheet: {sheet}", highlight=False, soft_wrap=True, markup=False)
    return exit_code(outcomes) if ended else _INTERRUPTED
