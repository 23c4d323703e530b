"""How much sharper is a depth map from several looks? Measured with a network that is simulated from the exact depth.

    python -m evaluation.depth_looks --set evaluation/fixed

The simulated network sees what it is given (the whole, a mirror image, a tile) at Depth-Anything's resolution: the
exact inverse depth at one sample per 1.75 network pixels, blurred as a step over two samples, edges displaced by about
half a sample, times a slow distortion, plus a slow and a fine error, all drawn anew for each look, and with a scale and
shift of its own. That is what several looks can and cannot mend; what a real network knows less of in a tile is not in
it, beyond twice the slow distortion. Figures by real weights will differ.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from evaluation.depth_boundaries import BoundaryOptions, boundary_f1
from services.common.arrays import RGB, Float, InverseDepth
from services.depth.depth_anything_v2.preprocess import network_size, to_photo
from services.depth.tiled import TiledOptions, count_estimates, estimate_tiled
from services.depth.tiled.align import fit_scale_and_shift

FIXED = Path(__file__).parent / "fixed"
SAMPLE_PX = 14 / 8  # network pixels per sample of the finest head features
EDGE_SAMPLES = 0.6  # standard deviation of the blur: a step spreads over about two samples
JITTER_SAMPLES = 0.5  # how far edges are displaced
WARP, WOBBLE, RIPPLE = 0.04, 0.006, 0.002  # as in `synthetic/simulate_depth.py`
WAYS: dict[str, TiledOptions] = {
    "one look": TiledOptions(mirror=False, tiles=0),
    "and its mirror image": TiledOptions(mirror=True, tiles=0),
    "and 2 × 2 tiles": TiledOptions(mirror=False, tiles=2),
    "mirror and 2 × 2 tiles (high)": TiledOptions(mirror=True, tiles=2),
    "mirror and 3 × 3 tiles": TiledOptions(mirror=True, tiles=3, tile_share=0.45),
}


class SimulatedNetwork:
    """Answers looks at one scene.

    The picture it is asked about is no photo: its three bytes a pixel hold where in the scene the pixel lies, so that a
    tile or a mirror image is known for what it is.

    Args:
        truth: (H, W) exact inverse depth, 0 for the sky; at most 4096 a side.
        seed: of all that is drawn.
    """

    def __init__(self, truth: Float, seed: int) -> None:
        self._truth = truth
        self._rng = np.random.default_rng(seed)

    def picture(self) -> RGB:
        """Return (H, W, 3) uint8 whose pixels tell where they are."""
        y, x = np.mgrid[: self._truth.shape[0], : self._truth.shape[1]]
        return np.stack([y >> 4, (y & 15) << 4 | x >> 8, x & 255], axis=-1).astype(np.uint8)

    def estimate(self, picture: RGB) -> InverseDepth:
        """Return (h, w) float32, a look at what `picture` tells."""
        code = picture.astype(np.int64)
        y, x = code[..., 0] << 4 | code[..., 1] >> 4, (code[..., 1] & 15) << 8 | code[..., 2]
        seen = self._truth[y, x]
        height, width = seen.shape
        size = network_size(width, height)
        columns, rows = round(size.width_px / SAMPLE_PX), round(size.height_px / SAMPLE_PX)
        value = _resample(seen, columns, rows)
        value = ndimage.gaussian_filter(value, EDGE_SAMPLES)
        value = self._displaced(value)
        share = seen.size / self._truth.size
        warp = WARP if share > 0.99 else 2 * WARP  # less of the scene is seen, less is known of it
        value = value * (1 + warp * self._smooth(4, value.shape)) + WOBBLE * self._smooth(12, value.shape)
        value = value + RIPPLE * ndimage.gaussian_filter(self._rng.standard_normal(value.shape), 1.0) * 3.5
        scale, shift = self._rng.uniform(3, 12), self._rng.uniform(-0.1, 0.15)
        return to_photo(np.maximum(scale * (value + shift), 0).astype(np.float32), width, height)

    def _displaced(self, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        y, x = np.mgrid[: value.shape[0], : value.shape[1]].astype(np.float64)
        cells = max(4, round(value.shape[1] * SAMPLE_PX / 14))  # a token
        y += JITTER_SAMPLES * 2 * self._smooth(cells, value.shape)
        x += JITTER_SAMPLES * 2 * self._smooth(cells, value.shape)
        return np.asarray(ndimage.map_coordinates(value, [y, x], order=1, mode="nearest"))

    def _smooth(self, cells: int, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """(H, W) smooth noise, about -1 to 1."""
        grid = self._rng.uniform(-1, 1, (cells, cells))
        return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def exact_inverse_depth(z: npt.NDArray[np.floating], far_clip: float) -> Float:
    """Return (H, W) float32 in about [0, 1]: 1 / z, 0 where nothing is, by its 99.5th percentile."""
    sky = z >= far_clip * 0.999
    inverse = np.where(sky, 0.0, 1.0 / np.maximum(z.astype(np.float64), 1e-6))
    return np.asarray(inverse / np.percentile(inverse, 99.5), dtype=np.float32)


def score(found: InverseDepth, truth: Float) -> dict[str, float]:
    """Return the boundary F1 and the mean error of a map, brought to the truth by one scale and shift."""
    scale, shift = fit_scale_and_shift(found[::4, ::4], truth[::4, ::4])
    brought = np.asarray(scale * found + shift, dtype=np.float32)
    return {
        "boundary_f1": boundary_f1(brought, truth, BoundaryOptions()),
        "error": float(np.abs(brought - truth).mean() / np.ptp(truth)),
    }


def measure(folder: Path, tell: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Return the figures of every way on one scene; the same draw for each way."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    with np.load(folder / "depth.npz") as archive:
        truth = exact_inverse_depth(archive["z"], float(meta["depth"]["far_clip"]))
    found = {}
    for name, options in WAYS.items():
        network = SimulatedNetwork(truth, zlib.crc32(folder.name.encode()))
        found[name] = score(estimate_tiled(network.picture(), network.estimate, options), truth)
    tell(f"{folder.name}: " + ", ".join(f"{figures['boundary_f1']:.3f}" for figures in found.values()))
    return found


def as_markdown(scenes: Sequence[dict[str, dict[str, float]]]) -> str:
    """Return the means over the scenes as a table."""
    lines = ["| looks | runs of the network | boundary F1 | worse in | mean error |", "|---|---:|---:|---:|---:|"]
    for name, options in WAYS.items():
        f1 = [scene[name]["boundary_f1"] for scene in scenes]
        worse = sum(scene[name]["boundary_f1"] < scene["one look"]["boundary_f1"] for scene in scenes)
        error = np.mean([scene[name]["error"] for scene in scenes])
        cells = (name, str(count_estimates(options)), f"{np.mean(f1):.3f}", f"{worse} of {len(scenes)}", f"{error:.4f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Print the table for a folder of scenes."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.depth_looks")
    parser.add_argument("--set", type=Path, default=FIXED, help="folder of scenes with depth.npz and meta.json")
    parser.add_argument("--limit", type=int)
    args = parser.parse_args(argv)
    folders = sorted(path.parent for path in args.set.glob("*/depth.npz"))[: args.limit]
    if not folders:
        parser.error(f"{args.set} holds no scene with a depth.npz")
    print(as_markdown([measure(folder, lambda line: print(line, flush=True)) for folder in folders]))
    return 0


def _resample(values: Float, width_px: int, height_px: int) -> npt.NDArray[np.float64]:
    shrinks = width_px <= values.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width_px, height_px), interpolation=way), dtype=np.float64)


if __name__ == "__main__":
    raise SystemExit(main())
