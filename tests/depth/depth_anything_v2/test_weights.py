from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from services.common.errors import StageUnavailable
from services.depth.depth_anything_v2.config import CONFIGS, Config, tensor_shapes
from services.depth.depth_anything_v2.weights import mismatch, read_weights, to_official_names

Tensors = dict[str, np.ndarray]

# (official, published transformers name) of one tensor of each kind
_NAMES = [
    ("pretrained.cls_token", "backbone.embeddings.cls_token"),
    ("pretrained.mask_token", "backbone.embeddings.mask_token"),
    ("pretrained.pos_embed", "backbone.embeddings.position_embeddings"),
    ("pretrained.patch_embed.proj.bias", "backbone.embeddings.patch_embeddings.projection.bias"),
    ("pretrained.blocks.11.norm1.weight", "backbone.encoder.layer.11.norm1.weight"),
    ("pretrained.blocks.3.attn.proj.weight", "backbone.encoder.layer.3.attention.output.dense.weight"),
    ("pretrained.blocks.3.ls1.gamma", "backbone.encoder.layer.3.layer_scale1.lambda1"),
    ("pretrained.blocks.3.ls2.gamma", "backbone.encoder.layer.3.layer_scale2.lambda1"),
    ("pretrained.blocks.0.mlp.fc2.bias", "backbone.encoder.layer.0.mlp.fc2.bias"),
    ("pretrained.norm.bias", "backbone.layernorm.bias"),
    ("depth_head.projects.2.weight", "neck.reassemble_stage.layers.2.projection.weight"),
    ("depth_head.resize_layers.3.bias", "neck.reassemble_stage.layers.3.resize.bias"),
    ("depth_head.scratch.layer1_rn.weight", "neck.convs.0.weight"),
    ("depth_head.scratch.refinenet4.out_conv.weight", "neck.fusion_stage.layers.0.projection.weight"),
    (
        "depth_head.scratch.refinenet1.resConfUnit2.conv1.bias",
        "neck.fusion_stage.layers.3.residual_layer2.convolution1.bias",
    ),
    ("depth_head.scratch.output_conv1.weight", "head.conv1.weight"),
    ("depth_head.scratch.output_conv2.0.weight", "head.conv2.weight"),
    ("depth_head.scratch.output_conv2.2.bias", "head.conv3.bias"),
]


@pytest.mark.parametrize(("official", "published"), _NAMES)
def test_published_name_becomes_the_official_one(official: str, published: str) -> None:
    assert list(to_official_names({published: np.zeros(1, np.float32)})) == [official]


def test_query_key_value_become_one_tensor_in_this_order() -> None:
    base = "backbone.encoder.layer.7.attention.attention"
    parts = {f"{base}.{part}.bias": np.full(2, i, np.float32) for i, part in enumerate(("query", "key", "value"))}
    renamed = to_official_names(dict(reversed(parts.items())))
    assert list(renamed) == ["pretrained.blocks.7.attn.qkv.bias"]
    np.testing.assert_array_equal(renamed["pretrained.blocks.7.attn.qkv.bias"], [0, 0, 1, 1, 2, 2])


def test_both_formats_hold_the_same(
    tmp_path: Path, tiny: Config, tiny_weights: Tensors, write_pth: Callable[..., Path]
) -> None:
    pth = write_pth(tmp_path / "a.pth", tiny_weights)
    save_file(tiny_weights, tmp_path / "b.safetensors")
    for path in (pth, tmp_path / "b.safetensors"):
        read = read_weights(path, tiny)
        assert read.keys() == tiny_weights.keys()
        assert all(np.array_equal(read[name], value) for name, value in tiny_weights.items())


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_any_other_tensor_is_refused(tmp_path: Path, tiny: Config, tiny_weights: Tensors, change: str) -> None:
    weights = dict(tiny_weights)
    name = "pretrained.blocks.1.attn.qkv.bias"
    value = weights.pop(name)
    weights |= {"unknown": {name: value, "more": value}, "shape": {name: value[:-1].copy()}}.get(change, {})
    save_file(weights, tmp_path / "x.safetensors")
    with pytest.raises(StageUnavailable, match="not a checkpoint of this size"):
        read_weights(tmp_path / "x.safetensors", tiny)


def test_weights_of_another_size_are_named() -> None:
    small = {name: np.broadcast_to(np.float32(0), shape) for name, shape in tensor_shapes(CONFIGS["vits"]).items()}
    assert "vits" in mismatch(small, CONFIGS["vitb"])
    assert mismatch(small, CONFIGS["vits"]) == ""


@pytest.mark.parametrize("name", ["depth_anything_v2_metric_hypersim_vits", "depth_anything_v2_metric_vkitti_vits"])
def test_renamed_metric_checkpoint_is_refused_by_name(
    tmp_path: Path, tiny: Config, tiny_weights: Tensors, write_pth: Callable[..., Path], name: str
) -> None:
    path = write_pth(tmp_path / "depth_anything_v2_vits.pth", tiny_weights, root=name)
    with pytest.raises(StageUnavailable, match="metric"):
        read_weights(path, tiny)


def test_first_generation_is_refused_by_name(
    tmp_path: Path, tiny: Config, tiny_weights: Tensors, write_pth: Callable[..., Path]
) -> None:
    path = write_pth(tmp_path / "depth_anything_vits14.pth", tiny_weights)
    with pytest.raises(StageUnavailable, match="first Depth-Anything"):
        read_weights(path, tiny)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"depth_estimation_type": "metric"}, "metric"),
        ({"backbone_config": {"out_indices": [2, 3, 4, 5]}}, "first Depth-Anything"),
    ],
)
def test_config_beside_the_file_gives_its_kin_away(
    tmp_path: Path, tiny: Config, tiny_weights: Tensors, settings: dict[str, object], said: str
) -> None:
    save_file(tiny_weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(StageUnavailable, match=said):
        read_weights(tmp_path / "model.safetensors", tiny)


def test_right_config_beside_the_file_is_welcome(tmp_path: Path, tiny: Config, tiny_weights: Tensors) -> None:
    save_file(tiny_weights, tmp_path / "model.safetensors")
    settings = {"depth_estimation_type": "relative", "backbone_config": {"out_indices": [1, 2, 3, 5]}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert read_weights(tmp_path / "model.safetensors", tiny).keys() == tiny_weights.keys()


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04"])
def test_broken_file_is_refused_with_its_path(tmp_path: Path, tiny: Config, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(StageUnavailable, match=r"x\.pth cannot be read"):
        read_weights(path, tiny)
