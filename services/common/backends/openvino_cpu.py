"""OpenVINO on the CPU: how every network is compiled for it, and whether the processor knows bfloat16."""

from __future__ import annotations

import importlib.util
from typing import Any


def compile_for_cpu(model: Any, threads: int, dtype: str) -> Any:
    """Return an openvino.CompiledModel that uses all threads for one run.

    Args:
        model: an openvino.Model.
        threads: of one run; 0 leaves the choice to OpenVINO.
        dtype: bfloat16, or float32.
    """
    import openvino

    hints: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bfloat16" else "f32",
    }
    if threads:
        hints["INFERENCE_NUM_THREADS"] = threads
    return openvino.Core().compile_model(model, "CPU", hints)


def bfloat16_processor() -> str:
    """Return OpenVINO's version and the processor, if that multiplies bfloat16 natively (AVX512-BF16, AMX); else ""."""
    if importlib.util.find_spec("openvino") is None:
        return ""
    import openvino

    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return ""
    return f"OpenVINO {openvino.__version__} on {core.get_property('CPU', 'FULL_DEVICE_NAME')}"
