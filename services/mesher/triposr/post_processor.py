"""Planes of tokens → scene code: each token becomes 2 × 2 texels of 40 channels."""
# mypy: allow-subclassing-any

from __future__ import annotations

from torch import Tensor, nn

from services.mesher.triposr.config import TripoSRConfig


class PostProcessor(nn.Module):
    """One transposed convolution, the same for the three planes."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(config.channels, config.plane_channels, kernel_size=2, stride=2)

    def forward(self, planes: Tensor) -> Tensor:
        """Return the scene codes of planes [B, 3, C, 32, 32]."""
        return self.upsample(planes.flatten(0, 1)).unflatten(0, (-1, 3))  # [B, 3, 40, 64, 64]
