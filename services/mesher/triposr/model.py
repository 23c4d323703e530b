"""The whole network: a picture in, a scene code out.

picture ─ image_tokenizer ─► 1025 image tokens ─┐
          tokenizer ───────► 3072 plane tokens ─┴─ backbone ─ post_processor ─► scene code 3 × 40 × 64 × 64
"""
# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from services.common.errors import StageUnavailable
from services.mesher.triposr import checkpoint
from services.mesher.triposr.backbone import Backbone
from services.mesher.triposr.config import TripoSRConfig, read_config
from services.mesher.triposr.decoder import Decoder
from services.mesher.triposr.image_tokenizer import ImageTokenizer, ViTConfig
from services.mesher.triposr.post_processor import PostProcessor
from services.mesher.triposr.query import SceneField
from services.mesher.triposr.tokenizer import Tokenizer

Precision = Literal["float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TripoSR(nn.Module):
    """TripoSR; made by `from_checkpoint`."""

    def __init__(self, config: TripoSRConfig, vit: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.image_tokenizer = ImageTokenizer(vit)
        self.tokenizer = Tokenizer(config)
        self.backbone = Backbone(config)
        self.post_processor = PostProcessor(config)
        self.decoder = Decoder(config)

    @classmethod
    def from_checkpoint(cls, directory: Path | str, device: str = "cpu", precision: Precision = "float32") -> TripoSR:
        """Return the network with the weights of a folder, ready to run.

        Args:
            directory: holds config.yaml and model.ckpt as published, or model.safetensors.
            device: of torch.
            precision: of the matrix products in image tokenizer and backbone. Norms, running sums, scene code and
                decoder are float32 always.
        Raises:
            StageUnavailable: a file is missing or is not what it should be.
        """
        folder = Path(directory)
        config = read_config(folder / checkpoint.CONFIG)
        state = checkpoint.read_state(folder, precision)
        with torch.device("meta"):
            network = cls(config, checkpoint.vit_sizes(state, config))
        checkpoint.fill(network, state)
        for _, module in network.sixteen_bit_modules():
            module.to(DTYPES[precision])
        network.to(device).eval()
        return network

    def forward(self, image: Tensor) -> Tensor:
        """Return the scene codes [B, 3, 40, 64, 64] float32 of pictures [B, 3, 512, 512] in [0, 1]."""
        image_tokens = self.image_tokenizer(image)  # [B, 1025, 768]
        tokens = self.backbone(self.tokenizer(len(image)), image_tokens)  # [B, 1024, 3072]
        return self.post_processor(self.tokenizer.to_planes(tokens))

    def reconstruct(self, image: Tensor) -> SceneField:
        """Return the field of one picture [1, 3, 512, 512] in [0, 1]; see `reconstruct_all`."""
        return self.reconstruct_all([image])[0]

    def reconstruct_all(self, images: Sequence[Tensor]) -> list[SceneField]:
        """Return the field of each picture [1, 3, 512, 512] in [0, 1], from any device, all in one run.

        Raises:
            StageUnavailable: numbers are not finite: damaged weights, or 16 bits that do not hold them.
        """
        with torch.inference_mode():
            scene_codes = self(torch.cat(list(images)).to(self.tokenizer.embeddings.device))
            if not torch.isfinite(scene_codes).all():
                dtype = str(self.backbone.proj_in.weight.dtype).removeprefix("torch.")
                raise StageUnavailable(f"TripoSR answers in numbers that are not finite (dtype {dtype})")
        return [SceneField(code, self.decoder, self.config.radius) for code in scene_codes]

    def sixteen_bit_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield by name what holds its weights in 16 bits where these are asked for: all matrices but the decoder's."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and name.startswith(("image_tokenizer.", "backbone.")):
                yield name, module
