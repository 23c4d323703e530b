"""Settings of the orchestrator."""

from __future__ import annotations

from pydantic import Field

from services.common.photos.limits import MAX_PIXELS
from services.common.settings import RpcSettings

CLOSED_FORM = "closed-form"
STAGE_CALLS = 16  # a stage's own queue, see StageSettings: what is sent beyond it would be refused there


class OrchestratorSettings(RpcSettings):
    """Settings of the orchestrator."""

    segmentation_address: str = "127.0.0.1:50051"
    """host:port, or dns:///name:port for several replicas."""
    depth_address: str = "127.0.0.1:50052"
    """host:port; empty runs without depth."""
    mesher_address: str = "127.0.0.1:50053"
    """host:port, or dns:///name:port for several replicas."""
    budget_s: float = Field(default=60.0, gt=0)
    """Longest time for a request whose caller states no deadline."""
    concurrency: int = Field(default=4, ge=1, le=1024)
    """Requests on their way at the same time."""
    queue: int = Field(default=32, ge=0, le=100_000)
    """Requests that may wait; beyond it RESOURCE_EXHAUSTED at once."""
    stage_calls: int = Field(default=STAGE_CALLS, ge=1, le=1024)
    """Calls to one stage at the same time; further ones wait here, those to depth are left out. Raise it with the
    number of replicas of a stage."""
    matting: str = CLOSED_FORM
    """What decides soft edges: closed-form, or a network: onnx:/path/model.onnx?mean=…&std=…&multiple=…&side=…"""
    decoders: int = Field(default=2, ge=1, le=64)
    """Worker processes that decode pictures."""
    decoder_memory_mb: int = Field(default=4096, ge=512)
    """Address space of each decoder."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    """Larger photos are refused."""
    cache_mb: int = Field(default=256, ge=0, le=1 << 20)
    """Memory for answers of segmentation, and as much for depth, so that a photo asked for again with other options
    repeats only what they change (8 to 12 MB a photo of a megapixel); 0 keeps nothing."""
    cache_s: float = Field(default=300.0, gt=0)
    """How long they are kept."""
