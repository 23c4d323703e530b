"""Settings of the depth service."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import StageSettings


class DepthSettings(StageSettings):
    """Settings of the depth service."""

    backend: str = "auto"
    """auto, depth-anything-v2:vits|vitb|vitl, onnx:/path?size=…&near=large|small, or none."""
    batch: int = Field(default=0, ge=0, le=64)
    """Photos of one size that go through the network at once; 0: 8 on a GPU, 1 on a CPU, which gains little by more."""
    batch_max_wait_s: float = Field(default=0.005, ge=0, le=1)
    """How long the first photo of a batch waits for others."""
