"""What the benchmark compares with computes the same, and its tables are made on any machine."""

from __future__ import annotations

import pytest

from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from bench.against_reference_depth import count_flop, picture, random_weights, variants  # noqa: E402
from bench.gpu_depth import measure_depth  # noqa: E402
from bench.reference.reference_depth_anything import ReferenceDepthAnything  # noqa: E402
from services.depth.depth_anything_v2.config import Config  # noqa: E402
from services.depth.depth_anything_v2.torch_engine import TorchEngine  # noqa: E402
from services.depth.depth_anything_v2.trial import error_share  # noqa: E402

TINY = Config(width=16, depth=4, heads=2, taps=(0, 1, 2, 3), features=8, neck=(4, 6, 8, 10))


def test_reference_network_answers_as_ours() -> None:
    weights = random_weights(TINY)
    reference = ReferenceDepthAnything({name: torch.from_numpy(value) for name, value in weights.items()}, TINY)
    ours = TorchEngine(weights, TINY, "cpu").infer(picture())[0]
    assert error_share(reference(torch.from_numpy(picture())).numpy(), ours) < 1e-5


def test_operations_are_counted_as_torch_counts_them() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    reference = ReferenceDepthAnything({n: torch.from_numpy(v) for n, v in random_weights(TINY).items()}, TINY)
    with FlopCounterMode(display=False) as counter:
        reference(torch.from_numpy(picture()))
    assert count_flop(TINY, 37) == pytest.approx(
        counter.get_total_flops(), rel=0.02
    )  # ours projects before it enlarges


def test_every_way_of_a_machine_has_a_name_of_its_own() -> None:
    names = [variant.name for variant in variants(bfloat16=True, cuda=True)]
    assert len(set(names)) == len(names)
    assert names[0] == "reference, cpu, float32"
    assert not any("cuda" in variant.name for variant in variants(bfloat16=True, cuda=False))


def test_a_device_is_measured_in_all_formats() -> None:
    section = measure_depth("cpu", (1, 2), runs=1, sizes={"tiny": TINY}, side_px=112)
    assert [row[0] for row in section.rows] == [
        f"tiny, {dtype}, batch {batch}" for dtype in ("float32", "bfloat16", "float16") for batch in (1, 2)
    ]
    assert float(section.rows[-1][-1]) < 0.05
