"""A toy network of the right structure as files on disk, and the reference outputs where they lie at hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.needs import SHARED

GOLDEN = SHARED / "golden"

CONFIG = """\
cond_image_size: 64
image_tokenizer:
  pretrained_model_name_or_path: "any/dino"  # never looked at
tokenizer:
  plane_size: 4
  num_channels: 32
backbone:
  in_channels: ${tokenizer.num_channels}
  num_attention_heads: 2
  attention_head_dim: 16
  num_layers: 2
  cross_attention_dim: 64
post_processor:
  in_channels: 32
  out_channels: 4
decoder:
  in_channels: 12 # 3 * 4
  n_neurons: 16
  n_hidden_layers: 3
  activation: silu
renderer:
  radius: 0.87
  feature_reduction: concat
  density_activation: exp
  density_bias: -1.0
"""


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with config.yaml and model.ckpt as published: 3 × 3 stored positions, 4 × 4 patches, a pooler."""
    import torch

    from services.mesher.triposr.config import read_config
    from services.mesher.triposr.image_tokenizer import ViTConfig
    from services.mesher.triposr.model import TripoSR

    folder = tmp_path_factory.mktemp("triposr")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    torch.manual_seed(7)
    vit = ViTConfig(channels=64, layers=2, hidden=128, patch_px=16, tokens=1 + 3 * 3)
    network = TripoSR(read_config(folder / "config.yaml"), vit)
    state = {name: torch.randn(value.shape) * 0.2 for name, value in network.state_dict().items()}
    state["image_tokenizer.model.pooler.dense.weight"] = torch.zeros(64, 64)
    state["image_tokenizer.model.pooler.dense.bias"] = torch.zeros(64)
    torch.save(state, folder / "model.ckpt")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of reference outputs."""
    return GOLDEN


@pytest.fixture(scope="session")
def standin(golden: Path) -> ModuleType:
    """Return the module that makes the weights which the reference outputs were made with."""
    spec = importlib.util.spec_from_file_location("standin_triposr", golden / "standin.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def standin_folder(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """standin_folder("small" | "full") → a folder with stand-in weights in the published layout; each made once."""
    made: dict[str, Path] = {}

    def write(size: str) -> Path:
        if size not in made:
            made[size] = tmp_path_factory.mktemp(size)
            standin.write_triposr(str(made[size]), standin.triposr_config(size))
        return made[size]

    return write
