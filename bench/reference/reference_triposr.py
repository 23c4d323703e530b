"""TripoSR by the official steps in the official order: attention written out, the whole grid decoded.

Source: VAST-AI-Research/TripoSR (MIT), tsr/system.py and tsr/models. Its torchmcubes is not on the package index;
scikit-image's marching cubes, which is faster, takes its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch.nn import functional

from services.common.arrays import Colours, Faces, Points
from services.mesher.triposr import checkpoint
from services.mesher.triposr.config import read_config
from services.mesher.triposr.image_tokenizer import MEAN, STD
from services.mesher.triposr.model import TripoSR

Tensor = Any
CHUNK = 8192  # points decoded at a time, as the official run.py sets it
RADIUS, THRESHOLD, DENSITY_BIAS = 0.87, 25.0, -1.0


class ReferenceTripoSR:
    """The network as its official class has it: built, then filled from a second copy in memory."""

    def __init__(self, folder: Path, fused: bool = False) -> None:
        """Load a folder with config.yaml and model.ckpt; `fused` takes torch's own attention in the backbone."""
        config = read_config(folder / "config.yaml")
        state = torch.load(folder / "model.ckpt", map_location="cpu", weights_only=True)
        network = TripoSR(config, checkpoint.vit_sizes(state, config))
        positions = "image_tokenizer.model.embeddings.position_embeddings"
        state[positions] = checkpoint.resize_positions(state[positions], config.image_px // 16)
        network.load_state_dict({name: value for name, value in state.items() if name not in checkpoint.UNUSED})
        self._weights = {name: value.detach() for name, value in network.state_dict().items()}
        self._config = config
        self._fused = fused

    def scene_code(self, image: Tensor) -> Tensor:
        """Return [3, 40, 64, 64] of a picture [1, 3, 512, 512] in [0, 1]."""
        with torch.inference_mode():
            image_tokens = self._image_tokens(image)
            embeddings = self._weights["tokenizer.embeddings"]
            tokens = embeddings.transpose(0, 1).flatten(1)[None]  # [1, C, 3·32·32]
            planes = self._backbone(tokens, image_tokens)
            planes = planes.view(1, embeddings.shape[1], *embeddings.shape[:1], *embeddings.shape[2:])
            planes = planes.transpose(1, 2)[0]
            name = "post_processor.upsample"
            return functional.conv_transpose2d(planes, *self._pair(name), stride=2)

    def mesh(self, scene_code: Tensor, resolution: int = 256) -> tuple[Points, Faces, Colours]:
        """Return vertices, faces and colours: every point of the grid decoded, marching cubes on the density itself."""
        axis = torch.linspace(0, 1, resolution)
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        with torch.inference_mode():
            density, _ = self.query(scene_code, (grid * 2 - 1) * RADIUS)
        volume = (density - THRESHOLD).view(resolution, resolution, resolution).numpy()
        march: Any = marching_cubes
        vertices, faces, _, _ = march(volume, 0.0, gradient_direction="ascent")
        points = (vertices / (resolution - 1) * 2 - 1) * RADIUS
        with torch.inference_mode():
            _, colour = self.query(scene_code, torch.from_numpy(np.asarray(points, np.float32)))
        return points, np.asarray(faces, np.int32), np.asarray((colour * 255).byte().numpy(), np.uint8)

    def query(self, scene_code: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return density [N] and colour [N, 3] of points [N, 3]; the answers of all chunks are kept, then joined."""
        raw = torch.cat([self._decode(scene_code, part) for part in points.split(CHUNK)])
        return torch.exp(raw[:, 0] + DENSITY_BIAS), torch.sigmoid(raw[:, 1:])

    def _decode(self, scene_code: Tensor, points: Tensor) -> Tensor:
        unit = points / RADIUS
        where = torch.stack([unit[:, [0, 1]], unit[:, [0, 2]], unit[:, [1, 2]]])[:, None]
        x = functional.grid_sample(scene_code, where, align_corners=False, mode="bilinear")
        x = x[:, :, 0].permute(2, 0, 1).flatten(1)
        for layer in range(0, 2 * self._config.decoder_layers, 2):
            x = functional.silu(functional.linear(x, *self._pair(f"decoder.layers.{layer}")))
        return functional.linear(x, *self._pair(f"decoder.layers.{2 * self._config.decoder_layers}"))

    def _image_tokens(self, image: Tensor) -> Tensor:
        at = "image_tokenizer.model."
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        patches = functional.conv2d(
            (image - mean) / std, *self._pair(f"{at}embeddings.patch_embeddings.projection"), 16
        )
        patches = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self._weights[f"{at}embeddings.cls_token"], patches], dim=1)
        x = x + self._weights[f"{at}embeddings.position_embeddings"]
        layers = sum(name.endswith("layernorm_before.weight") for name in self._weights)
        for number in range(layers):
            layer = f"{at}encoder.layer.{number}."
            y = self._norm(x, f"{layer}layernorm_before", 1e-12)
            q, k, v = (self._linear(y, f"{layer}attention.attention.{part}") for part in ("query", "key", "value"))
            x = x + self._linear(_attend(q, k, v, 64, fused=False), f"{layer}attention.output.dense")
            y = self._norm(x, f"{layer}layernorm_after", 1e-12)
            x = x + self._linear(functional.gelu(self._linear(y, f"{layer}intermediate.dense")), f"{layer}output.dense")
        return self._norm(x, f"{at}layernorm", 1e-12)

    def _backbone(self, tokens: Tensor, image_tokens: Tensor) -> Tensor:
        at = "backbone."
        x = functional.group_norm(tokens, 32, *self._pair(f"{at}norm"), 1e-6)
        x = self._linear(x.transpose(1, 2), f"{at}proj_in")
        for number in range(self._config.blocks):
            block = f"{at}transformer_blocks.{number}."
            y = self._norm(x, f"{block}norm1", 1e-5)
            x = x + self._attention(y, y, f"{block}attn1.")
            x = x + self._attention(self._norm(x, f"{block}norm2", 1e-5), image_tokens, f"{block}attn2.")
            y = self._linear(self._norm(x, f"{block}norm3", 1e-5), f"{block}ff.net.0.proj")
            values, gates = y.chunk(2, dim=-1)
            x = x + self._linear(values * functional.gelu(gates), f"{block}ff.net.2")
        return self._linear(x, f"{at}proj_out").transpose(1, 2) + tokens

    def _attention(self, x: Tensor, context: Tensor, at: str) -> Tensor:
        q, k, v = self._linear(x, f"{at}to_q"), self._linear(context, f"{at}to_k"), self._linear(context, f"{at}to_v")
        return self._linear(_attend(q, k, v, self._config.head_channels, self._fused), f"{at}to_out.0")

    def _norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], *self._pair(name), eps)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias"))

    def _pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]


def _attend(q: Tensor, k: Tensor, v: Tensor, channels: int, fused: bool) -> Tensor:
    q, k, v = (x.unflatten(2, (-1, channels)).transpose(1, 2) for x in (q, k, v))
    if fused:
        mixed = functional.scaled_dot_product_attention(q, k, v)
    else:
        mixed = torch.softmax(q @ k.transpose(2, 3) / channels**0.5, dim=-1) @ v
    return mixed.transpose(1, 2).flatten(2)
