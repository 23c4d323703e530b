"""Real services as processes: one whole system for all end-to-end tests, with networks small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.cli.local_services import LocalServices, LocalServicesOptions
from services.common import free_ports
from services.common.client import Client

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def examples() -> Path:
    """The project's own photos."""
    return ROOT / "examples"


@pytest.fixture(scope="session")
def depth_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A depth network of any input size: how bright a pixel is, smoothed. Wrong, but whole and deterministic."""
    kernel = np.full((1, 3, 7, 7), 1 / 147, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["bright"], pads=[3, 3, 3, 3]),
            helper.make_node("Sigmoid", ["bright"], ["near"]),
            helper.make_node("Squeeze", ["near", "axis"], ["depth"]),
        ],
        "depth",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, "h", "w"])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(np.array([1], np.int64), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = tmp_path_factory.mktemp("networks") / "depth.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def local_services(tmp_path_factory: pytest.TempPathFactory, depth_network: Path) -> Iterator[LocalServices]:
    """The whole system with embedded backends and a small depth network."""
    environment = {
        "UNFLAT_MODELS": str(tmp_path_factory.mktemp("empty-store")),
        "UNFLAT_DEPTH_BACKEND": f"onnx:{depth_network}?size=252",
        "UNFLAT_ORCHESTRATOR_CACHE_MB": "0",  # the tests send the same photos; each wants to see every stage work
    }
    with LocalServices(LocalServicesOptions(http_port=free_ports.free_port(), environment=environment)) as running:
        yield running


@pytest.fixture(scope="session")
def client(local_services: LocalServices) -> Iterator[Client]:
    """A client of that system."""
    with Client(local_services.address) as one:
        yield one


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Returns ports of loopback that nobody listens on."""
    return free_ports.free_port
