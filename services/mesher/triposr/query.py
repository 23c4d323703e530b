"""Density and colour of a scene code at any point.

Convention: x towards the camera, y to the right of the picture, z up, right-handed; the planes are (x, y), (x, z) and
(y, z), the first of each pair running along the rows. Only points within ±radius mean anything: beyond it the planes
fade to zero and the decoder answers something arbitrary.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from services.common.arrays import Colours, Float
from services.mesher.triposr.decoder import Decoder

PLANES = ((0, 1), (0, 2), (1, 2))
CPU_POINTS = 8192  # a layer's activations (2 MB) stay in the cache; a million points at once took twice the time
GPU_POINTS = 1 << 19


class SceneField:
    """One picture's scene code with the decoder that reads it. Thread-safe.

    Args:
        scene_code: [3, 40, 64, 64] float32.
        decoder: on the same device.
        radius: half the side of the cube.
    """

    def __init__(self, scene_code: Tensor, decoder: Decoder, radius: float) -> None:
        self._scene_code = scene_code
        self._decoder = decoder
        self._points = CPU_POINTS if scene_code.device.type == "cpu" else GPU_POINTS
        self.radius = radius

    @property
    def scene_code(self) -> Float:
        """(3, 40, 64, 64) float32."""
        return np.asarray(self._scene_code.cpu().numpy(), dtype=np.float32)

    def density(self, points: npt.NDArray[np.floating]) -> Float:
        """Return (n,) raw density; the official one is its exponential after adding the bias −1."""
        parts = [raw[:, 0].cpu().numpy() for raw in self._decode(points)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def colour(self, points: npt.NDArray[np.floating]) -> Colours:
        """Return (n, 3) uint8 sRGB."""
        parts = [torch.sigmoid(raw[:, 1:]).mul(255).round().byte().cpu().numpy() for raw in self._decode(points)]
        return np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.uint8)

    def _decode(self, points: npt.NDArray[np.floating]) -> Iterator[Tensor]:
        """Yield [n, 4] of as many points at a time as the device likes."""
        device = self._scene_code.device
        for start in range(0, len(points), self._points):
            part = torch.from_numpy(np.asarray(points[start : start + self._points], dtype=np.float32))
            with torch.inference_mode():
                yield self._decoder(sample_planes(self._scene_code, part.to(device), self.radius))


def sample_planes(scene_code: Tensor, points: Tensor, radius: float) -> Tensor:
    """Return what the three planes [3, C, H, W] say at points [N, 3], bilinear, plane after plane: [N, 3·C]."""
    unit = points / radius
    where = torch.stack([unit[:, axes] for axes in PLANES])[:, None]  # [3, 1, N, 2]
    found = functional.grid_sample(scene_code, where, mode="bilinear", padding_mode="zeros", align_corners=False)
    return found[:, :, 0].permute(2, 0, 1).flatten(1)  # [3, C, N] → [N, 3·C]
