"""The learned triplane tokens that every picture starts from."""
# mypy: allow-subclassing-any

from __future__ import annotations

from torch import Tensor, nn

from services.mesher.triposr.config import TripoSRConfig


class Tokenizer(nn.Module):
    """Three planes as one row of tokens, and back."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(Tensor(3, config.channels, config.plane_size, config.plane_size))

    def forward(self, batch: int) -> Tensor:
        """Return the tokens of `batch` pictures: plane by plane, row by row."""
        tokens = self.embeddings.transpose(0, 1).flatten(1)  # [C, 3·32·32]
        return tokens.expand(batch, -1, -1)  # [B, C, 3·32·32]

    def to_planes(self, tokens: Tensor) -> Tensor:
        """Return the tokens laid out as planes."""
        planes, channels, height, width = self.embeddings.shape
        return tokens.view(-1, channels, planes, height, width).transpose(1, 2)  # [B, 3, C, 32, 32]
