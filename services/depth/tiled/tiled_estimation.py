"""Several estimates of a photo, fused into one map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.common.arrays import RGB, InverseDepth
from services.depth.tiled.align import align_locally, fit_scale_and_shift
from services.depth.tiled.tiles import feather, lay_tiles

Estimate = Callable[[RGB], InverseDepth]
"""(H, W, 3) uint8 → (H, W) float32, one run of the network."""

RIM_SHARE = 0.3  # of a tile's side: about the overlap of two tiles of 0.6


@dataclass(frozen=True)
class TiledOptions:
    """Which estimates are made.

    Args:
        mirror: the whole photo mirrored, too: its errors are others, the mean has fewer. One estimate more.
        tiles: along each side, 0 for none; `tiles` ** 2 estimates more. More are finer, and know less of the scene.
        tile_share: of each side that a tile covers.
        window_share: of the photo's long side: over how far scale and shift of a tile may change. Smaller
            follows the map of the whole more closely and softens what a tile adds.
        blur_share: of the photo's long side: how much blurrier the whole is than a tile.
    """

    mirror: bool = True
    tiles: int = 2
    tile_share: float = 0.6
    window_share: float = 0.04
    blur_share: float = 0.003


def count_estimates(options: TiledOptions) -> int:
    """Return how many times the network runs: the cost of a map in maps of the usual quality.

    >>> count_estimates(TiledOptions()), count_estimates(TiledOptions(mirror=False, tiles=0))
    (6, 1)
    """
    return 1 + int(options.mirror) + options.tiles**2


def estimate_tiled(
    rgb: RGB,
    estimate: Estimate,
    options: TiledOptions | None = None,
    go_on: Callable[[], None] = lambda: None,
) -> InverseDepth:
    """Return one map from several estimates: the scene of the whole, the edges of the tiles.

    Args:
        rgb: (H, W, 3) uint8.
        estimate: one run of the network.
        options: which estimates.
        go_on: called between the estimates; may raise to stop.
    Returns:
        (H, W) float32 in the scale and shift of one estimate of the whole photo, and within its range.
    """
    chosen = options or TiledOptions()
    whole = estimate(rgb)
    lowest, highest = float(whole.min()), float(whole.max())
    if lowest == highest:
        return whole  # nothing to align by
    scene = whole
    if chosen.mirror:
        go_on()
        scene = _mean_with_mirror(whole, estimate(np.ascontiguousarray(rgb[:, ::-1])))
    if chosen.tiles:
        scene = _with_tiles(rgb, scene, estimate, chosen, go_on)
    return np.asarray(np.clip(scene, lowest, highest), dtype=np.float32)


def _mean_with_mirror(whole: InverseDepth, mirrored: InverseDepth) -> InverseDepth:
    back = mirrored[:, ::-1]
    scale, shift = fit_scale_and_shift(back[::4, ::4], whole[::4, ::4])
    if scale == 0:
        return whole  # it contradicts: no mean of the two is better
    return np.asarray(0.5 * (whole + scale * back + shift), dtype=np.float32)


def _with_tiles(
    rgb: RGB, scene: InverseDepth, estimate: Estimate, options: TiledOptions, go_on: Callable[[], None]
) -> InverseDepth:
    height, width = scene.shape
    long_px = max(height, width)
    window_px, blur_px = options.window_share * long_px, options.blur_share * long_px
    total, weight = np.zeros_like(scene), np.zeros_like(scene)
    for tile in lay_tiles(width, height, options.tiles, options.tile_share):
        go_on()
        estimated = estimate(np.ascontiguousarray(rgb[tile.window]))
        aligned = align_locally(estimated, scene[tile.window], window_px, blur_px)
        counts = feather(tile, width, height, RIM_SHARE)
        total[tile.window] += counts * aligned
        weight[tile.window] += counts
    return np.asarray(total / weight, dtype=np.float32)
