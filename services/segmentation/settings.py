"""Settings of the segmentation service."""

from __future__ import annotations

from pydantic import Field

from services.common.settings import StageSettings
from services.segmentation.backends.onnx_engines import Precision, Provider


class SegmentationSettings(StageSettings):
    """Settings of the segmentation service."""

    backend: str = "auto"
    """auto, grabcut, rembg:<model>, rembg:custom=/path/model.onnx or onnx:/path?side=…&mean=…&std=…"""
    provider: Provider = "auto"
    """What networks run on."""
    require_gpu: bool = False
    """Do not serve when a GPU was asked for and is not there."""
    precision: Precision = "auto"
    """auto: bfloat16 on processors where that is faster and no pixel of the mask moves by more than 8 bits can tell.
    bfloat16: also where single pixels do. float32: always."""
    model_budget_mb: int = Field(default=1536, ge=0)
    """Memory of all models together. Requests may name others of the store; the least recently used one leaves."""
