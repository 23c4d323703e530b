"""Weights of Depth-Anything-V2 by their official names, from the official `.pth` or from safetensors in either naming.

Strict: every tensor of the file is known and has its shape, and none is missing.

Limits: V1, V2 and metric checkpoints have the same names and shapes, so a file alone cannot always be told from its
kin. What gives it away is checked (its name, the config.json beside it); a file of the store is known by its hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from services.common.arrays import Float
from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.checkpoint import BadCheckpoint, original_name, read_checkpoint
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes

_METRIC_NAME = re.compile(r"metric|hypersim|vkitti", re.IGNORECASE)
_V1_NAME = re.compile(r"depth_anything_vit[sbl]14", re.IGNORECASE)


def read_weights(path: Path, config: Config) -> dict[str, Float]:
    """Return every tensor of the network as float32 under its official name.

    Raises:
        StageUnavailable: the file cannot be read, or is not a checkpoint of this network and size.
    """
    refuse_kin(path, config)
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
        tensors = read_checkpoint(path) if is_zip else _read_safetensors(path)
    except (OSError, BadCheckpoint) as error:
        raise StageUnavailable(f"{path} cannot be read as weights of Depth-Anything-V2: {error}") from error
    if "backbone.embeddings.cls_token" in tensors:
        tensors = to_official_names(tensors)
    problem = mismatch(tensors, config)
    if problem:
        raise StageUnavailable(f"{path} is not a checkpoint of this size of Depth-Anything-V2: {problem}")
    return tensors


def refuse_kin(path: Path, config: Config) -> None:
    """Refuse a metric or V1 checkpoint where its name, the name torch gave it or the config.json beside it says so.

    Raises:
        StageUnavailable: it is one of these.
    """
    settings = _read_config(path.with_name("config.json")) if path.suffix == ".safetensors" else {}
    names = f"{path.name} {original_name(path)}"
    if _METRIC_NAME.search(names) or settings.get("depth_estimation_type") == "metric":
        raise StageUnavailable(
            f"{path} is a metric checkpoint (metres, larger is farther); wanted the relative one of Depth-Anything-V2"
        )
    if _V1_NAME.search(names):
        raise StageUnavailable(f"{path} is a checkpoint of the first Depth-Anything; wanted one of Depth-Anything-V2")
    backbone = settings.get("backbone_config")
    if isinstance(backbone, dict) and backbone.get("out_indices") != [tap + 1 for tap in config.taps]:
        raise StageUnavailable(
            f"the config.json beside {path} taps blocks {backbone.get('out_indices')}, as the first Depth-Anything "
            f"does; Depth-Anything-V2 taps {[tap + 1 for tap in config.taps]}"
        )


def mismatch(tensors: dict[str, Float], config: Config) -> str:
    """Return what separates `tensors` from an official checkpoint, in words, or an empty string."""
    wanted = tensor_shapes(config)
    found = {name: value.shape for name, value in tensors.items()}
    if found == wanted:
        return ""
    token = found.get("pretrained.cls_token")
    for size, other in CONFIGS.items():
        if token == (1, 1, other.width) and other.width != config.width:
            return f"it looks like {size}"
    missing, unknown = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or unknown:
        return f"{_count(missing)} missing, {_count(unknown)} unknown"
    name = next(name for name in wanted if wanted[name] != found[name])
    return f"{name} is {found[name]}, wanted {wanted[name]}"


def _count(names: Iterable[str]) -> str:
    listed = sorted(names)
    return f"{len(listed)} tensors" + (f" ({listed[0]} …)" if listed else "")


def _read_safetensors(path: Path) -> dict[str, Float]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise StageUnavailable(f"{path} needs safetensors; install it with `pip install 'unflat[depth]'`") from None
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: np.asarray(file.get_tensor(name), dtype=np.float32) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError) as error:
        raise BadCheckpoint(f"neither a torch zip nor safetensors of floats ({error})") from error


def _read_config(path: Path) -> dict[str, object]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


# The published transformers names, rewritten one rule after the other.
_RENAMES = tuple(
    (re.compile(pattern), official)
    for pattern, official in (
        (r"^backbone\.embeddings\.(cls|mask)_token$", r"pretrained.\1_token"),
        (r"^backbone\.embeddings\.position_embeddings$", r"pretrained.pos_embed"),
        (r"^backbone\.embeddings\.patch_embeddings\.projection\.", r"pretrained.patch_embed.proj."),
        (r"^backbone\.layernorm\.", r"pretrained.norm."),
        (r"^backbone\.encoder\.layer\.", r"pretrained.blocks."),
        (r"\.attention\.output\.dense\.", r".attn.proj."),
        (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
        (r"^neck\.reassemble_stage\.layers\.(\d)\.projection\.", r"depth_head.projects.\1."),
        (r"^neck\.reassemble_stage\.layers\.(\d)\.resize\.", r"depth_head.resize_layers.\1."),
        (r"^head\.conv1\.", r"depth_head.scratch.output_conv1."),
        (r"^head\.conv2\.", r"depth_head.scratch.output_conv2.0."),
        (r"^head\.conv3\.", r"depth_head.scratch.output_conv2.2."),
        (r"^(neck\.fusion_stage\..*)\.projection\.", r"\1.out_conv."),
        (r"^(neck\.fusion_stage\..*)\.residual_layer([12])\.convolution([12])\.", r"\1.resConfUnit\2.conv\3."),
    )
)
_QUERY = re.compile(r"^(pretrained\.blocks\.\d+)\.attention\.attention\.query\.(weight|bias)$")


def to_official_names(tensors: dict[str, Float]) -> dict[str, Float]:
    """Return tensors of a transformers checkpoint under the official names; unknown names stay as they are.

    Query, key and value become one tensor; fusion layer 0 is refinenet4, as transformers counts from the coarse end.
    """
    renamed = {_official_name(name): value for name, value in tensors.items()}
    for name in [name for name in renamed if _QUERY.match(name)]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in renamed for part in parts):
            joined = np.concatenate([renamed.pop(part) for part in parts])
            renamed[_QUERY.sub(r"\1.attn.qkv.\2", name)] = joined
    return renamed


def _official_name(name: str) -> str:
    for pattern, official in _RENAMES:
        name = pattern.sub(official, name)
    if match := re.match(r"^neck\.convs\.(\d)\.", name):
        return f"depth_head.scratch.layer{int(match[1]) + 1}_rn.{name[match.end() :]}"
    if match := re.match(r"^neck\.fusion_stage\.layers\.([0-3])\.", name):
        return f"depth_head.scratch.refinenet{4 - int(match[1])}.{name[match.end() :]}"
    return name
