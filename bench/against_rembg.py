"""Our cutout beside `rembg.remove`: the same photo, the same network's answer, everything around the network timed.

The network is a stub (bench/stub_network.py) that answers a stored mask at no cost, so that what is timed is what each
does before and after. Three amounts of work:

    plain     the mask enlarged to the photo and put into its alpha channel
    refined   ours only: the `fast` preset, with the refinement chain and the subject's own colour at soft edges
    matted    ours: the `balanced` preset; rembg: alpha_matting=True, its thresholds as they come
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.run_baseline import run_baseline
from bench.section import Section
from bench.stub_network import write_stub_network
from bench.timing import Spread, measure, spread
from evaluation.metrics.mask_metrics import score_mask
from evaluation.sets import Item, open_set, read_mask
from evaluation.synthetic.corruptions import simulate_network
from services.common.arrays import RGB, Alpha, Pixels
from services.common.imaging.working_size import shrink_to
from services.common.photos.decoding import WORKING_SIDE_PX, decode_photo
from services.orchestrator.cutout.cut import PRESETS, CutoutOptions, cut_out
from services.orchestrator.output.encoding import EncodeOptions, encode_cutout
from services.segmentation.backends.catalogue import FAMILIES
from services.segmentation.backends.grabcut import GrabCut
from services.segmentation.backends.onnx_network import OnnxNetwork
from services.segmentation.refine.chain import RefineOptions, refine

_PLAIN = CutoutOptions(matting=False, estimate_foreground=False)
_MATTED = {"alpha_matting": True}
_FIGURES = ("iou", "boundary_f", "sad", "sad_band")


@dataclass(frozen=True)
class Work:
    """What is done to a mask, on either side."""

    name: str
    preset: RefineOptions | None
    cutout: CutoutOptions
    baseline: dict[str, Any] | None


WORKS = (
    Work("plain", None, _PLAIN, {}),
    Work("refined", RefineOptions.for_preset("fast"), PRESETS["fast"], None),
    Work("matted", RefineOptions.for_preset("balanced"), PRESETS["balanced"], _MATTED),
)


def compare_time(photo: Path, runs: int, megapixels: tuple[int, ...]) -> Section:
    """Return the times at each size, from pixels to pixels and from a JPEG to a PNG.

    rembg's matting of 12 megapixels takes minutes a run and eight gigabytes.
    """
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory() as folder:
        network, sizes = _stage(photo, Path(folder), megapixels)
        for work in WORKS:
            baseline = _time_baseline(sizes, Path(folder), work, runs)
            for size, path in sizes.items():
                few = runs if size == 1 else max(runs // 3, 1)
                ours = _time_ours(path, network, work, few)
                for what in ("pixels", "bytes"):
                    other = baseline.get(what, {}).get(str(path))
                    cells = (ours[what].ms(), other.ms() if other else "", _times(ours[what], other))
                    rows.append((f"{work.name}, {size} MP, {_WAY[what]}", *cells))
                    if other and what == "pixels":
                        ratios[f"cutout against rembg: {work.name}, {size} MP"] = other.median / ours[what].median
    return Section(
        title="Cutout against rembg.remove",
        method="One process each, the same stored mask in place of the network's answer (ISNet's shape), so that all "
        "but the network is timed. *Pixels*: decoded photo to RGBA; *file*: JPEG to PNG, rembg's PNG as it comes.",
        columns=("work, photo, input", "unflat ms", "rembg 2.0.86 ms", "times faster"),
        rows=tuple(rows),
        ratios=ratios,
        notes=("*Refined* has no counterpart: rembg takes the network's mask as it is.",),
    )


def compare_quality(folder: Path, masks: str, shown: str, limit: int | None = None) -> Section:
    """Return how near both come to the exact alpha, over the items of a set.

    Args:
        folder: an evaluation set with exact alpha.
        masks: as in `python -m evaluation`: files beside the photos, or "simulated".
        shown: what the page calls the set.
        limit: at most so many items.
    """
    items = [item for item in open_set(folder, "auto" if masks == "simulated" else masks, "off", limit) if item.truth]
    figures: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as text:
        for number, item in enumerate(items):
            workplace = Path(text) / str(number)
            for name, alpha in _cut_both(item, masks, number, workplace).items():
                truth = np.asarray(read_mask(item.truth), np.float64) if item.truth else None
                assert truth is not None
                scores = score_mask(truth, np.asarray(alpha, np.float64))
                figures.setdefault(name, []).append([float(scores[figure] or 0.0) for figure in _FIGURES])
    rows = [(name, *(f"{value:.3f}" for value in np.mean(values, axis=0))) for name, values in figures.items()]
    return Section(
        title=f"Cutout against rembg.remove: quality, {shown}",
        method=f"Mean over {len(items)} photos with exact alpha, both from the same raw mask, no depth. Higher IoU and "
        "boundary F are better, lower SAD is (thousands of pixels; band: near the outline).",
        columns=("cutout", "IoU", "boundary F", "SAD", "SAD in the band"),
        rows=tuple(rows),
    )


_WAY = {"pixels": "pixels", "bytes": "file"}


def _stage(photo: Path, folder: Path, wanted: tuple[int, ...]) -> tuple[OnnxNetwork, dict[int, Path]]:
    """Write the photo at each size, and a network that answers its mask."""
    decoded = decode_photo(photo.read_bytes())
    mask = cv2.GaussianBlur(GrabCut().segment(decoded.working).alpha, (0, 0), 1.5)
    network = _network(folder, np.asarray(mask, np.float32))
    sizes = {}
    for megapixels in wanted:
        factor = (megapixels * 1e6 / decoded.pixels[..., 0].size) ** 0.5
        size = (round(decoded.pixels.shape[1] * factor), round(decoded.pixels.shape[0] * factor))
        sizes[megapixels] = folder / f"{megapixels}.jpg"
        Image.fromarray(decoded.pixels).resize(size, Image.Resampling.LANCZOS).save(sizes[megapixels], quality=92)
    return network, sizes


def _network(folder: Path, mask: Alpha) -> OnnxNetwork:
    path = folder / "isnet-general-use.onnx"
    write_stub_network(path, mask)
    network = OnnxNetwork("stub", path, FAMILIES["isnet-general-use"])
    network.load()
    return network


def _time_baseline(sizes: dict[int, Path], folder: Path, work: Work, runs: int) -> dict[str, dict[str, Spread]]:
    if work.baseline is None:
        return {}
    found: dict[str, dict[str, Spread]] = {}
    for megapixels, path in sizes.items():
        few = 1 if work.baseline and megapixels > 1 else runs  # closed form at 12 megapixels takes minutes
        wanted = {"photos": [str(path)], "models": str(folder), "runs": few, "answers": str(folder)}
        answer = run_baseline("remove_with_rembg.py", {**wanted, "options": work.baseline})
        for what, by_photo in answer.items():
            found.setdefault(what, {}).update({name: spread(seconds) for name, seconds in by_photo.items()})
    return found


def _time_ours(path: Path, network: OnnxNetwork, work: Work, runs: int) -> dict[str, Spread]:
    data = path.read_bytes()
    pixels = np.asarray(decode_photo(data).pixels, np.uint8)
    return {
        "pixels": measure(lambda: _cut(pixels, shrink_to(pixels, WORKING_SIDE_PX), network, work), runs),
        "bytes": measure(_file_way(data, network, work), runs),
    }


def _file_way(data: bytes, network: OnnxNetwork, work: Work) -> Callable[[], bytes]:
    def whole() -> bytes:
        photo = decode_photo(data)
        foreground, alpha = _cut(photo.pixels, photo.working, network, work)
        return encode_cutout(foreground, alpha, photo.metadata, EncodeOptions("png"))

    return whole


def _cut(pixels: Pixels, working: RGB, network: OnnxNetwork, work: Work) -> tuple[Pixels, Alpha]:
    alpha = network.segment(working).alpha
    if work.preset is not None:
        alpha = refine(working, alpha, work.preset).alpha
    cutout = cut_out(pixels, alpha, work.cutout)
    return cutout.foreground, cutout.alpha


def _times(ours: Spread, baseline: Spread | None) -> str:
    return f"{baseline.median / ours.median:.1f}" if baseline else ""


def _cut_both(item: Item, masks: str, seed: int, folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the alpha that each side makes of one item's raw mask."""
    folder.mkdir()
    data = item.photo.read_bytes()
    photo = decode_photo(data)
    source = item.truth if masks == "simulated" else item.mask
    assert source is not None
    raw = read_mask(source)
    network = _network(folder, simulate_network(raw, seed) if masks == "simulated" else raw)
    upright = folder / "photo.png"  # rembg resizes what it opens; both get the same upright pixels
    buffer = io.BytesIO()
    Image.fromarray(photo.pixels).save(buffer, "PNG")
    upright.write_bytes(buffer.getvalue())
    found: dict[str, npt.NDArray[Any]] = {"raw mask": network.segment(photo.working).alpha}
    for work in WORKS:
        if work.baseline is not None:
            wanted = {"photos": [str(upright)], "models": str(folder), "runs": 1, "answers": str(folder)}
            run_baseline("remove_with_rembg.py", {**wanted, "options": work.baseline})
            found[f"rembg, {work.name}"] = np.load(folder / "photo.npy")[:, :, 3] / 255.0
        found[f"unflat, {work.name}"] = _cut(photo.pixels, photo.working, network, work)[1]
    return found
