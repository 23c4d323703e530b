"""The three published sizes of Depth-Anything-V2, one row each."""

from __future__ import annotations

from dataclasses import dataclass

GRID = 37  # patches a side in training (518 px); the position table has this many rows and columns


@dataclass(frozen=True)
class Config:
    """What differs between the sizes.

    Args:
        width: channels of a token.
        depth: transformer blocks.
        heads: attention heads; each has width / heads channels.
        taps: blocks whose tokens feed the head, counted from 0. The older Depth-Anything taps the last four with the
            same names and shapes, so its checkpoints load here and answer nonsense.
        features: channels of the head's fusion.
        neck: channels of the four tapped maps, from the finest to the coarsest.
    """

    width: int
    depth: int
    heads: int
    taps: tuple[int, int, int, int]
    features: int
    neck: tuple[int, int, int, int]


CONFIGS = {
    "vits": Config(384, 12, 6, taps=(2, 5, 8, 11), features=64, neck=(48, 96, 192, 384)),
    "vitb": Config(768, 12, 12, taps=(2, 5, 8, 11), features=128, neck=(96, 192, 384, 768)),
    "vitl": Config(1024, 24, 16, taps=(4, 11, 17, 23), features=256, neck=(256, 512, 1024, 1024)),
}


def tensor_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return every tensor of an official checkpoint with its shape, in the checkpoint's order."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]

    c = config.width
    shapes["pretrained.cls_token"] = (1, 1, c)
    shapes["pretrained.pos_embed"] = (1, 1 + GRID * GRID, c)
    shapes["pretrained.mask_token"] = (1, c)  # of the self-supervised training; not part of the computation
    layer("pretrained.patch_embed.proj", c, 3, 14, 14)
    for i in range(config.depth):
        block = f"pretrained.blocks.{i}"
        layer(f"{block}.norm1", c)
        layer(f"{block}.attn.qkv", 3 * c, c)
        layer(f"{block}.attn.proj", c, c)
        shapes[f"{block}.ls1.gamma"] = (c,)
        layer(f"{block}.norm2", c)
        layer(f"{block}.mlp.fc1", 4 * c, c)
        layer(f"{block}.mlp.fc2", c, 4 * c)
        shapes[f"{block}.ls2.gamma"] = (c,)
    layer("pretrained.norm", c)

    f, neck = config.features, config.neck
    for i in range(4):
        layer(f"depth_head.projects.{i}", neck[i], c, 1, 1)
    layer("depth_head.resize_layers.0", neck[0], neck[0], 4, 4)
    layer("depth_head.resize_layers.1", neck[1], neck[1], 2, 2)
    layer("depth_head.resize_layers.3", neck[3], neck[3], 3, 3)  # 2 is the identity
    for i in range(4):
        shapes[f"depth_head.scratch.layer{i + 1}_rn.weight"] = (f, neck[i], 3, 3)
    for i in range(1, 5):
        fusion = f"depth_head.scratch.refinenet{i}"
        layer(f"{fusion}.out_conv", f, f, 1, 1)
        for unit in (1, 2):  # unit 1 of refinenet4 has weights but no input
            layer(f"{fusion}.resConfUnit{unit}.conv1", f, f, 3, 3)
            layer(f"{fusion}.resConfUnit{unit}.conv2", f, f, 3, 3)
    layer("depth_head.scratch.output_conv1", f // 2, f, 3, 3)
    layer("depth_head.scratch.output_conv2.0", 32, f // 2, 3, 3)
    layer("depth_head.scratch.output_conv2.2", 1, 32, 1, 1)
    return shapes
