"""The official weights in our modules: every tensor used, none left over, no second copy in memory.

A folder holds config.yaml and model.ckpt as published, or model.safetensors as `convert` writes it.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from services.common.errors import StageUnavailable
from services.mesher.triposr.config import TripoSRConfig
from services.mesher.triposr.image_tokenizer import ViTConfig

State = dict[str, Tensor]

CONFIG, OFFICIAL, CONVERTED = "config.yaml", "model.ckpt", "model.safetensors"
UNUSED = ("image_tokenizer.model.pooler.dense.weight", "image_tokenizer.model.pooler.dense.bias")

_VIT = "image_tokenizer.model."
_POSITIONS = _VIT + "embeddings.position_embeddings"


def read_state(folder: Path, precision: str = "float32") -> State:
    """Return the tensors of a folder, mapped from the file rather than read, without the pooler's, which nothing uses.

    Args:
        folder: holds the official checkpoint, or what `convert` made of it.
        precision: a form converted to it is taken where there is one, else the one in float32, else the official one.
    Raises:
        StageUnavailable: there is no such file, or it is not a plain dictionary of tensors.
    """
    found = [path for path in (folder / converted_name(precision), folder / CONVERTED) if path.is_file()]
    if not found:
        return read_official(folder)
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise StageUnavailable(f"{found[0]} needs safetensors; `pip install safetensors`") from None
    try:
        return {name: value for name, value in load_file(found[0]).items() if name not in UNUSED}
    except (SafetensorError, OSError, ValueError) as problem:
        raise StageUnavailable(f"{found[0]} cannot be read: {str(problem)[:200]}") from None


def read_official(folder: Path) -> State:
    """Return the tensors of model.ckpt, mapped, without the pooler's.

    Raises:
        StageUnavailable: there is no such file, or it is not a plain dictionary of tensors.
    """
    try:
        state = torch.load(folder / OFFICIAL, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise StageUnavailable(f"{folder} holds neither {CONVERTED} nor {OFFICIAL}") from None
    except (pickle.UnpicklingError, RuntimeError, ValueError) as problem:
        raise StageUnavailable(f"the weights in {folder} cannot be read: {str(problem)[:200]}") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise StageUnavailable(f"the weights in {folder} are not a plain dictionary of tensors")
    return {name: value for name, value in state.items() if name not in UNUSED}


def converted_name(precision: str) -> str:
    """Return the name of the file that `convert` writes."""
    return CONVERTED if precision == "float32" else f"model.{precision}.safetensors"


def vit_sizes(state: State, config: TripoSRConfig) -> ViTConfig:
    """Return the sizes of the image tokenizer, which config.yaml leaves to a file elsewhere.

    Raises:
        StageUnavailable: the image tokenizer's tensors are not there.
    """
    try:
        projection = state[_VIT + "embeddings.patch_embeddings.projection.weight"]
        hidden = state[_VIT + "encoder.layer.0.intermediate.dense.weight"]
    except KeyError as problem:
        raise StageUnavailable(f"these are not TripoSR's weights: there is no {problem}") from None
    channels, _, patch_px, _ = projection.shape
    layers = sum(name.startswith(_VIT) and name.endswith(".layernorm_before.weight") for name in state)
    tokens = 1 + (config.image_px // patch_px) ** 2
    return ViTConfig(channels=channels, layers=layers, hidden=hidden.shape[0], patch_px=patch_px, tokens=tokens)


def fill(network: torch.nn.Module, state: State) -> None:
    """Put the tensors into the network, whose own are still without memory.

    Raises:
        StageUnavailable: a tensor is missing, left over or of another shape.
    """
    positions = state.get(_POSITIONS)
    if positions is not None:
        wanted = network.get_parameter(_POSITIONS).shape[1] - 1
        state = {**state, _POSITIONS: resize_positions(positions, math.isqrt(wanted))}
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as problem:
        lines = [line.strip() for line in str(problem).splitlines()[1:]]
        raise StageUnavailable(f"these are not TripoSR's weights: {' '.join(lines)[:300]}") from None
    network.requires_grad_(False)


def resize_positions(table: Tensor, side: int) -> Tensor:
    """Return the position table [1, 1 + 14·14, C] for `side` × `side` patches: [1, 1 + side², C], bicubic.

    The scale is (side + 0.1) / 14, not side / 14: transformers 4.35 guarded its rounding that way, the sampling
    positions move with it, and the published weights were made and are used with these numbers.
    """
    first, patches = table[:, :1], table[:, 1:]
    grid = math.isqrt(patches.shape[1])
    if grid == side:
        return table
    plane = patches.unflatten(1, (grid, grid)).permute(0, 3, 1, 2).float()  # [1, C, 14, 14]
    scale = (side + 0.1) / grid
    resized = functional.interpolate(plane, scale_factor=(scale, scale), mode="bicubic", align_corners=False)
    return torch.cat([first, resized.permute(0, 2, 3, 1).flatten(1, 2).to(first.dtype)], dim=1)
