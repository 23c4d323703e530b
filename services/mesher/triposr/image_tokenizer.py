"""Picture → image tokens: DINO's ViT-B/16, class token kept, final norm, no pooler.

Source: Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers" (Apache-2.0); Dosovitskiy et al.
2021, "An Image is Worth 16x16 Words". Modules are named as in transformers 4.35's ViT, which the official weights were
published with.
"""
# mypy: allow-subclassing-any

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, cat, nn
from torch.nn import functional

MEAN = (0.485, 0.456, 0.406)  # ImageNet
STD = (0.229, 0.224, 0.225)
HEAD_CHANNELS = 64  # of every published DINO ViT
NORM_EPS = 1e-12


@dataclass(frozen=True)
class ViTConfig:
    """Sizes of the ViT; `tokens` counts the class token and the patches of the picture it will see."""

    channels: int
    layers: int
    hidden: int
    patch_px: int
    tokens: int


class ImageTokenizer(nn.Module):
    """The ViT behind its ImageNet normalisation."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.model = ViT(config)

    def forward(self, image: Tensor) -> Tensor:
        """Return the image tokens of pictures in [0, 1]."""
        mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        return self.model((image - mean) / std)  # [B, 1 + patches, C]


class ViT(nn.Module):
    """Embeddings, layers, norm."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.layernorm = nn.LayerNorm(config.channels, eps=NORM_EPS)

    def forward(self, image: Tensor) -> Tensor:
        """Return the tokens after the final norm."""
        tokens = self.embeddings(image)
        for layer in self.encoder.layer:
            tokens = layer(tokens)
        return self.layernorm(tokens)


class Embeddings(nn.Module):
    """Patches through one convolution, a class token before them, a position added to each.

    `position_embeddings` is held at the picture's own number of patches; `checkpoint` resizes the stored table once.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(Tensor(1, 1, config.channels))
        self.position_embeddings = nn.Parameter(Tensor(1, config.tokens, config.channels))
        self.patch_embeddings = nn.Module()
        self.patch_embeddings.projection = nn.Conv2d(3, config.channels, config.patch_px, config.patch_px)

    def forward(self, image: Tensor) -> Tensor:
        """Return one token a patch and the class token."""
        project = self.patch_embeddings.projection
        patches = project(image.to(project.weight.dtype))  # [B, C, H/16, W/16]
        patches = patches.flatten(2).transpose(1, 2)  # [B, patches, C], row by row
        tokens = cat([self.cls_token.expand(len(image), -1, -1), patches.to(self.cls_token.dtype)], dim=1)
        return tokens + self.position_embeddings  # [B, 1 + patches, C]


class Layer(nn.Module):
    """Attention and a two-layer network, each on the normed tokens and added to them.

    Where the weights have 16 bits, so has the arithmetic between norm and sum; the running sum stays float32.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        channels = config.channels
        self.attention = nn.Module()
        self.attention.attention = SelfAttention(channels)
        self.attention.output = nn.Module()
        self.attention.output.dense = nn.Linear(channels, channels)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(channels, config.hidden)
        self.output = nn.Module()
        self.output.dense = nn.Linear(config.hidden, channels)
        self.layernorm_before = nn.LayerNorm(channels, eps=NORM_EPS)
        self.layernorm_after = nn.LayerNorm(channels, eps=NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after this layer, [B, N, C]."""
        dtype = self.output.dense.weight.dtype
        mixed = self.attention.attention(self.layernorm_before(tokens).to(dtype))
        tokens = tokens + self.attention.output.dense(mixed)
        hidden = functional.gelu(self.intermediate.dense(self.layernorm_after(tokens).to(dtype)))  # [B, N, 4 C]
        return tokens + self.output.dense(hidden)


class SelfAttention(nn.Module):
    """Softmax attention of the tokens among themselves, in heads of 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mixed values, [B, N, C]."""
        heads = (tokens.shape[0], tokens.shape[1], -1, HEAD_CHANNELS)
        q, k, v = (f(tokens).view(heads).transpose(1, 2) for f in (self.query, self.key, self.value))  # [B, h, N, 64]
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
