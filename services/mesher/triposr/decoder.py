"""What the planes say at a point → raw density and colour features: a small multi-layer perceptron.

Source: Mildenhall et al. 2020, "NeRF".
"""
# mypy: allow-subclassing-any

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from services.mesher.triposr.config import TripoSRConfig


class Decoder(nn.Module):
    """Ten linear layers with SiLU between them."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        widths = [3 * config.plane_channels, *[config.decoder_width] * config.decoder_layers]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.SiLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 4))

    def forward(self, features: Tensor) -> Tensor:
        """Return raw density and three colour features of each point, [N, 120] → [N, 4]."""
        return self.layers(features)
