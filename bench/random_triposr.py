"""TripoSR at full size with random weights that show a body: they cost what trained ones cost, and are made in seconds.

The triplane tokens that every picture starts from hold a body, which the backbone's random numbers only ripple; the
decoder hands its raw density through beside its random neurons. So the surface has the size of an object's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from services.common.arrays import Float
from services.mesher.triposr.config import TripoSRConfig

LEVEL = 1 + np.log(25.0)  # of the raw density, where the official threshold lies
_OFFSET = 10.0  # SiLU(x + 10) is x + 10 to 1e-3
_RIPPLE = 0.02

CONFIG = """\
cond_image_size: 512
tokenizer:
  plane_size: 32
  num_channels: 1024
backbone:
  num_attention_heads: 16
  attention_head_dim: 64
  num_layers: 16
  cross_attention_dim: 768
post_processor:
  out_channels: 40
decoder:
  n_neurons: 64
  n_hidden_layers: 9
renderer:
  radius: 0.87
  density_bias: -1.0
"""


def body_planes(name: str, side: int = 64, radius: float = 0.87) -> Float:
    """Return (3, side, side) values of the planes (x, y), (x, z), (y, z) whose sum is the raw density of a body.

    Args:
        name: bumps (a ball with bumps), ring (3.5 texels thick), or bead (the ring, and a bead of its own within it).
        side: texels along a plane.
        radius: half the side of the cube.
    """
    axis = radius * ((2 * np.arange(side) + 1) / side - 1)
    v, u = np.meshgrid(axis, axis, indexing="ij")  # the first axis of a plane runs along its rows
    rho = np.hypot(u, v)
    if name == "bumps":
        each = -20 * rho**2 + 0.6 * np.sin(9 * u) * np.sin(9 * v)
        return np.asarray(np.stack([each + 14, each, each]) + LEVEL / 3, dtype=np.float32)
    xy = -900 * (rho - 0.55) ** 2 + 2.0
    upright = -450 * v**2
    if name == "bead":
        xy = np.maximum(xy, 3.0 - 900 * rho**2)
    return np.asarray(np.stack([np.maximum(xy, -60), upright, upright]) + LEVEL / 3, dtype=np.float32)


def random_state(seed: int = 1) -> dict[str, Any]:
    """Return every tensor of the network, 419 million values in float32."""
    import torch

    from services.mesher.triposr.image_tokenizer import ViTConfig
    from services.mesher.triposr.model import TripoSR

    with torch.device("meta"):
        network = TripoSR(TripoSRConfig(), ViTConfig(channels=768, layers=12, hidden=3072, patch_px=16, tokens=197))
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        made = torch.empty(value.shape)
        if value.ndim < 2:
            made.fill_(1.0 if name.endswith("weight") else 0.0)
        else:
            made.normal_(0, value[0].numel() ** -0.5, generator=generator)
        state[name] = made
    state["backbone.proj_out.weight"] *= _RIPPLE
    _show_body(state, body_planes("bumps"))
    return state


def write_random(folder: Path) -> None:
    """Write config.yaml and model.ckpt as published, with random weights."""
    import torch

    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    torch.save(random_state(), folder / "model.ckpt")


def body_decoder() -> Any:
    """Return a decoder of the official size that reads channel 0 of each plane as its share of the raw density."""
    from services.mesher.triposr.decoder import Decoder

    decoder = Decoder(TripoSRConfig()).requires_grad_(False)
    state = {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
    _pass_through(state)
    return decoder


def body_scene_code(name: str) -> Any:
    """Return a scene code [3, 40, 64, 64] that `body_decoder` reads as the body `name`."""
    import torch

    code = torch.zeros(3, 40, 64, 64)
    code[:, 0] = torch.from_numpy(body_planes(name))
    return code


def _show_body(state: dict[str, Any], planes: Float) -> None:
    """Write the body into channels 0 to 3 of the tokens, one for each of the 2 × 2 texels that a token becomes."""
    import torch

    texels = torch.from_numpy(planes).unflatten(2, (32, 2)).unflatten(1, (32, 2))  # [3, 32, 2, 32, 2]
    state["tokenizer.embeddings"][:, :4] = texels.permute(0, 2, 4, 1, 3).flatten(1, 2)
    upsample = state["post_processor.upsample.weight"]  # [1024, 40, 2, 2]
    upsample[:4] = 0
    upsample[:, 0] *= _RIPPLE
    upsample[:4, 0] = torch.eye(4).unflatten(1, (2, 2))
    _pass_through(state)


def _pass_through(state: dict[str, Any]) -> None:
    """Let neuron 0 of every layer carry the sum of the planes' channel 0, and the other neurons not disturb it."""
    names = [name for name in state if name.startswith("decoder.layers.") and name.endswith("weight")]
    for name in names:
        weight, bias = state[name], state[name.replace("weight", "bias")]
        weight[0], bias[0] = 0, 0
        if name == names[0]:
            weight[0, ::40], bias[0] = 1, _OFFSET
            continue
        weight[0, 0] = 1
        bias[0] = -_OFFSET if name == names[-1] else 0
