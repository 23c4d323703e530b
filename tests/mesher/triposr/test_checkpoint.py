from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.common.errors import StageUnavailable
from tests.needs import needed_module

torch = needed_module("torch")
pytestmark = pytest.mark.needs_torch

from services.mesher.triposr import checkpoint  # noqa: E402
from services.mesher.triposr.convert import convert  # noqa: E402
from services.mesher.triposr.model import TripoSR  # noqa: E402


@pytest.fixture
def folder(toy_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


def _save_with(folder: Path, **changes: object) -> None:
    state = torch.load(folder / "model.ckpt", weights_only=True)
    for name, value in changes.items():
        state.pop(name)
        if value is not None:
            state[name] = value
    torch.save(state, folder / "model.ckpt")


def test_weights_are_mapped_and_not_copied(toy_folder: Path) -> None:
    state = checkpoint.read_state(toy_folder)
    network = TripoSR.from_checkpoint(toy_folder)
    name = "backbone.proj_in.weight"
    checkpoint.fill(network, {**state})
    assert network.get_parameter(name).data_ptr() == state[name].data_ptr()


def test_pooler_is_accepted_and_dropped(toy_folder: Path) -> None:
    assert not set(checkpoint.UNUSED) & set(checkpoint.read_state(toy_folder))


def test_a_missing_tensor_is_named(folder: Path) -> None:
    _save_with(folder, **{"decoder.layers.2.bias": None})
    with pytest.raises(StageUnavailable, match=r"decoder\.layers\.2\.bias"):
        TripoSR.from_checkpoint(folder)


def test_a_left_over_tensor_is_named(folder: Path) -> None:
    state = torch.load(folder / "model.ckpt", weights_only=True)
    torch.save({**state, "backbone.extra": torch.zeros(1)}, folder / "model.ckpt")
    with pytest.raises(StageUnavailable, match=r"backbone\.extra"):
        TripoSR.from_checkpoint(folder)


def test_a_tensor_of_another_shape_is_named(folder: Path) -> None:
    _save_with(folder, **{"decoder.layers.2.bias": torch.zeros(3)})
    with pytest.raises(StageUnavailable, match=r"decoder\.layers\.2\.bias"):
        TripoSR.from_checkpoint(folder)


def test_code_in_a_checkpoint_is_refused(folder: Path) -> None:
    torch.save({"weights": Path}, folder / "model.ckpt")
    with pytest.raises(StageUnavailable, match="cannot be read"):
        TripoSR.from_checkpoint(folder)


def test_a_torn_checkpoint_is_refused(folder: Path) -> None:
    whole = (folder / "model.ckpt").read_bytes()
    (folder / "model.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StageUnavailable, match="cannot be read"):
        TripoSR.from_checkpoint(folder)


def test_a_folder_without_weights_says_what_was_looked_for(folder: Path) -> None:
    (folder / "model.ckpt").unlink()
    with pytest.raises(StageUnavailable, match=r"model\.safetensors nor model\.ckpt"):
        TripoSR.from_checkpoint(folder)


def test_converted_weights_give_the_same_network(folder: Path) -> None:
    image = torch.rand(1, 3, 64, 64)
    before = TripoSR.from_checkpoint(folder)(image)
    convert(folder)
    (folder / "model.ckpt").unlink()
    assert torch.equal(TripoSR.from_checkpoint(folder)(image), before)


def test_bfloat16_weights_give_the_network_that_rounding_on_loading_gives(folder: Path) -> None:
    image = torch.rand(1, 3, 64, 64)
    before = TripoSR.from_checkpoint(folder, precision="bfloat16")(image)
    whole, half = convert(folder), convert(folder, "bfloat16")
    (folder / "model.ckpt").unlink()
    assert half.stat().st_size < 0.65 * whole.stat().st_size  # the toy's tokens and decoder, kept whole, weigh more
    assert torch.equal(TripoSR.from_checkpoint(folder, precision="bfloat16")(image), before)
    network = TripoSR.from_checkpoint(folder)
    assert network.backbone.proj_in.weight.dtype == network.decoder.layers[0].weight.dtype == torch.float32


def test_a_torn_conversion_is_refused(folder: Path) -> None:
    path = convert(folder)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(StageUnavailable, match="cannot be read"):
        TripoSR.from_checkpoint(folder)


def test_position_table_keeps_the_stored_rows_where_sizes_agree() -> None:
    table = torch.rand(1, 10, 4)
    assert checkpoint.resize_positions(table, 3) is table


def test_position_table_is_sampled_with_the_pinned_scale() -> None:
    ramp = torch.arange(8.0).repeat(8, 1).reshape(1, 64, 1)  # a value a column
    table = torch.cat([torch.full((1, 1, 1), -5.0), ramp], dim=1)
    resized = checkpoint.resize_positions(table, 16)
    assert resized.shape == (1, 257, 1)
    assert resized[0, 0, 0] == -5.0
    at = 8.5 * 8 / 16.1 - 0.5  # where column 8 samples, by the scale 16.1 / 8
    taps = [_cubic(at - column) * column for column in range(8)]
    assert resized[0, 1 + 8 * 16 + 8, 0].item() == pytest.approx(sum(taps), abs=1e-4)


def _cubic(x: float) -> float:
    """Keys' kernel with a = −0.75, torch's."""
    x, a = abs(x), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0
