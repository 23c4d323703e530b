"""The picture as TripoSR was trained to see it: on grey, 8 bits, shrunk or enlarged without aliasing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.common.arrays import RGB, RGBA

if TYPE_CHECKING:
    from torch import Tensor

GREY = 0.5  # the training background


def compose_on_grey(rgba: RGBA) -> RGB:
    """Return (H, W, 3) uint8 of a cutout with straight alpha on grey.

    Args:
        rgba: (H, W, 4) uint8.

    Convention: cut off to whole numbers, not rounded, as the official code does: bare background becomes 127.
    """
    values = rgba.astype(np.float32) / np.float32(255)
    alpha = values[..., 3:]
    composed = values[..., :3] * alpha + (1 - alpha) * np.float32(GREY)
    return np.asarray(composed * np.float32(255), dtype=np.uint8)


def to_network(rgb: RGB, side_px: int) -> Tensor:
    """Return [1, 3, side, side] float32 in [0, 1] on the CPU: bilinear, antialiased.

    Args:
        rgb: (S, S, 3) uint8 on grey.
        side_px: what the network wants.

    Made on the CPU on purpose: Apple's Metal has no antialiased resize, and one picture is cheap.
    """
    import torch
    from torch.nn import functional

    image = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 255  # [1, 3, S, S]
    return functional.interpolate(image, (side_px, side_px), mode="bilinear", align_corners=False, antialias=True)
