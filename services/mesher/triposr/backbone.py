"""Triplane tokens look at each other and at the picture: the transformer that holds four fifths of the weights.

Source: Hong et al. 2024, "LRM: Large Reconstruction Model for Single Image to 3D"; the blocks are diffusers' basic
transformer block (Apache-2.0) with the gated GELU of Shazeer 2020, "GLU Variants Improve Transformer".
"""
# mypy: allow-subclassing-any

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from services.mesher.triposr.config import TripoSRConfig

GROUPS = 32
GROUP_NORM_EPS = 1e-6
FEED_FORWARD = 4  # hidden channels of the feed-forward network, in channels of a token


class Backbone(nn.Module):
    """Norm, projection, blocks, projection, and the input added at the end."""

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_channels
        self.norm = nn.GroupNorm(GROUPS, config.channels, eps=GROUP_NORM_EPS)
        self.proj_in = nn.Linear(config.channels, inner)
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.proj_out = nn.Linear(inner, config.channels)

    def forward(self, tokens: Tensor, image_tokens: Tensor) -> Tensor:
        """Return the triplane tokens [B, C, N] of the pictures whose image tokens [B, M, D] are given."""
        dtype = self.proj_in.weight.dtype
        image_tokens = image_tokens.to(dtype)
        x = self.proj_in(self.norm(tokens).transpose(1, 2).to(dtype)).to(tokens.dtype)  # [B, N, inner]
        for block in self.transformer_blocks:
            x = block(x, image_tokens)
        return self.proj_out(x.to(dtype)).transpose(1, 2) + tokens  # [B, C, N]


class Block(nn.Module):
    """Self-attention, attention to the picture, gated feed-forward: each on the normed tokens and added to them.

    Where the weights have 16 bits, so has the arithmetic between norm and sum; the running sum stays float32.
    """

    def __init__(self, config: TripoSRConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_channels
        self.norm1 = nn.LayerNorm(inner)
        self.attn1 = Attention(config, inner)
        self.norm2 = nn.LayerNorm(inner)
        self.attn2 = Attention(config, config.image_channels)
        self.norm3 = nn.LayerNorm(inner)
        self.ff = FeedForward(inner)

    def forward(self, x: Tensor, image_tokens: Tensor) -> Tensor:
        """Return the triplane tokens after this block, [B, N, inner]."""
        dtype = image_tokens.dtype
        normed = self.norm1(x).to(dtype)
        x = x + self.attn1(normed, normed)
        x = x + self.attn2(self.norm2(x).to(dtype), image_tokens)
        return x + self.ff(self.norm3(x).to(dtype))


class Attention(nn.Module):
    """Softmax attention of tokens to a context of their own or another width; projections without bias but the last."""

    def __init__(self, config: TripoSRConfig, context_channels: int) -> None:
        super().__init__()
        inner = config.heads * config.head_channels
        self.head_channels = config.head_channels
        self.to_q = nn.Linear(inner, inner, bias=False)
        self.to_k = nn.Linear(context_channels, inner, bias=False)
        self.to_v = nn.Linear(context_channels, inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, inner)])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return what each token of `x` [B, N, inner] takes from `context` [B, M, D]."""
        q, k, v = self._split(self.to_q(x)), self._split(self.to_k(context)), self._split(self.to_v(context))
        mixed = functional.scaled_dot_product_attention(q, k, v)  # [B, heads, N, 64]
        return self.to_out[0](mixed.transpose(1, 2).flatten(2))  # [B, N, inner]

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (-1, self.head_channels)).transpose(1, 2)  # [B, heads, N, 64]


class FeedForward(nn.Module):
    """Linear, gated exact GELU, linear."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([GatedGelu(inner), nn.Identity(), nn.Linear(FEED_FORWARD * inner, inner)])

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, N, inner]."""
        return self.net[2](self.net[0](x))


class GatedGelu(nn.Module):
    """One projection to values and gates."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inner, 2 * FEED_FORWARD * inner)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, N, 4·inner]."""
        values, gates = self.proj(x).chunk(2, dim=-1)
        return values * functional.gelu(gates)
