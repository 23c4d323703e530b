"""Tiled estimation: one sharper depth map from the whole photo, its mirror image, and overlapping tiles.

A network sees at a fixed resolution. The map of a tile has finer edges but a scale and shift of its own, and knows less
of the scene; the map of the whole knows the scene but not the edges. So the tiles are aligned to the whole, by a scale
and shift that vary slowly over the picture, and lend it their edges.

Source: the idea of S. M. H. Miangoleh et al., Boosting Monocular Depth Estimation Models to High-Resolution, 2021, with
a locally affine fit (as in the guided filter) in place of their merging network.
"""

from services.depth.tiled.tiled_estimation import TiledOptions, count_estimates, estimate_tiled

__all__ = ["TiledOptions", "count_estimates", "estimate_tiled"]
