"""Pixels and depth between arrays and messages: bytes with their shape, never repeated numbers.

A `bytes` field is copied at each access, so it is read once; what comes back is a read-only view of that copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.arrays import Alpha, InverseDepth, alpha_from_bytes, alpha_to_bytes
from services.common.errors import InvalidImage
from unflat.v1 import common_pb2

_LARGEST_FLOAT16 = 60_000.0


def image_to_proto(pixels: npt.NDArray[Any]) -> common_pb2.Image:
    """Return an (H, W) or (H, W, C) array of uint8 or uint16 as a message."""
    height, width = pixels.shape[:2]
    return common_pb2.Image(
        pixels=np.ascontiguousarray(pixels).tobytes(),
        width=width,
        height=height,
        channels=1 if pixels.ndim == 2 else pixels.shape[2],
        bit_depth=pixels.dtype.itemsize * 8,
    )


def image_from_proto(message: common_pb2.Image, channels: int, field: str = "image") -> npt.NDArray[np.uint8]:
    """Return an 8-bit message as (H, W, C), or (H, W) for one channel; read-only.

    Raises:
        InvalidImage: the bytes do not fit the stated size, or it is not 8-bit with `channels` channels.
    """
    width, height = message.width, message.height
    if message.channels != channels or message.bit_depth != 8:
        raise InvalidImage(
            f"{field} has {message.channels} channels of {message.bit_depth} bits; wanted {channels} of 8", field=field
        )
    data = message.pixels
    if width == 0 or height == 0 or len(data) != width * height * channels:
        raise InvalidImage(f"{field} states {width} × {height} × {channels} but carries {len(data)} bytes", field=field)
    pixels = np.frombuffer(data, dtype=np.uint8)
    return pixels.reshape((height, width) if channels == 1 else (height, width, channels))


def alpha_to_proto(alpha: Alpha) -> common_pb2.Image:
    """Return a float mask as an 8-bit message."""
    return image_to_proto(alpha_to_bytes(alpha))


def alpha_from_proto(message: common_pb2.Image, field: str = "mask") -> Alpha:
    """Return an 8-bit one-channel message as float32 in [0, 1].

    Raises:
        InvalidImage: it is not what it says.
    """
    return alpha_from_bytes(image_from_proto(message, 1, field))


def depth_to_proto(depth: InverseDepth) -> common_pb2.DepthMap:
    """Return inverse depth as float16 with a scale that keeps its precision (relative error ≤ 2⁻¹¹)."""
    finite = depth[np.isfinite(depth)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    # The middle of float16's range: no overflow, no denormals. The scale itself is a float32, and must not vanish.
    scale = max(largest / 1024.0, float(np.finfo(np.float32).tiny)) if largest > 0 else 1.0
    values = np.clip(depth / np.float32(scale), -_LARGEST_FLOAT16, _LARGEST_FLOAT16).astype("<f2")
    height, width = depth.shape
    return common_pb2.DepthMap(values=values.tobytes(), width=width, height=height, scale=scale)


def depth_from_proto(message: common_pb2.DepthMap) -> InverseDepth:
    """Return a depth message as (H, W) float32.

    Raises:
        InvalidImage: the bytes do not fit the stated size.
    """
    width, height = message.width, message.height
    data = message.values
    if width == 0 or height == 0 or len(data) != 2 * width * height:
        raise InvalidImage(f"depth states {width} × {height} but carries {len(data)} bytes", field="depth")
    values = np.frombuffer(data, dtype="<f2").reshape(height, width)
    return np.asarray(values.astype(np.float32) * np.float32(message.scale), dtype=np.float32)
