from pathlib import Path

import numpy as np
import pytest

from bench.stub_network import write_stub_network
from services.segmentation.backends.catalogue import FAMILIES
from services.segmentation.backends.onnx_engines import Provider
from services.segmentation.backends.onnx_network import OnnxNetwork


@pytest.mark.parametrize("provider", ["openvino", "cpu"])
def test_it_answers_the_stored_mask_whatever_it_is_shown(tmp_path: Path, provider: Provider) -> None:
    mask = np.zeros((320, 320), np.float32)
    mask[80:240, 100:220] = 0.75
    write_stub_network(tmp_path / "network.onnx", mask, 320)
    network = OnnxNetwork("stub", tmp_path / "network.onnx", FAMILIES["u2netp"], provider=provider)
    rng = np.random.default_rng(0)
    for _ in range(2):
        answer = network.segment(rng.integers(0, 256, (320, 320, 3), dtype=np.uint8)).alpha
        np.testing.assert_allclose(answer, mask, atol=1e-6)
