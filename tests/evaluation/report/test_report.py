"""A run from photos to the report: files by their names, intervals that hold, pictures inside the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.__main__ import main
from evaluation.item_figures import ItemFigures
from evaluation.metrics.intervals import mean_interval, paired_interval
from evaluation.report.figures import gather
from evaluation.report.page import worst_first
from evaluation.report.pictures import LEAK, MISSING, colour_errors
from evaluation.sets import FIXED
from evaluation.variants import ABLATIONS, MASK_VARIANTS, MESH_VARIANTS, VARIANTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    variants = ["--variants", "raw", "refined", "final", "--mesh-variants", "final", "--no-align"]
    common = ["--in-process", "--masks", "simulated", "--limit", "2"]
    assert main(["--set", str(FIXED), "--out", str(folder), *common, *variants]) == 0
    return folder


def test_masks_depth_and_meshes_have_the_documented_names(out: Path) -> None:
    names = sorted(path.name for path in FIXED.iterdir() if path.is_dir())
    items = [names[0], names[len(names) // 2]]
    assert {path.name for path in (out / "masks").iterdir()} == {
        f"{item}.{variant}.png" for item in items for variant in ("raw", "refined", "final")
    }
    assert {path.name for path in (out / "meshes").iterdir()} == {f"{item}.final.glb" for item in items}
    assert {path.name for path in (out / "depth").iterdir()} == {f"{item}.png" for item in items}


def test_final_mask_has_the_photos_size(out: Path) -> None:
    for path in (out / "masks").glob("*.final.png"):
        name = path.name.removesuffix(".final.png")
        with Image.open(path) as mask, Image.open(FIXED / name / "photo.jpg") as photo:
            assert mask.size == photo.size and mask.mode == "L"


def test_figures_hold_means_tags_ablations_and_items(out: Path) -> None:
    figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    assert figures["count"] == 2 and len(figures["items"]) == 2 and figures["by_tag"]
    row = figures["mean"]["masks"]["final"]["iou"]
    assert row["low"] <= row["mean"] <= row["high"]
    assert any((r["first"], r["second"], r["metric"]) == ("final", "raw", "iou") for r in figures["ablations"])
    assert "f@0.1" in figures["mean"]["meshes"]["final"]


def test_report_fetches_nothing_from_elsewhere(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) >= 2 * (3 + 3 + 6)
    assert all(source.startswith("data:image/webp;base64,") for source in sources)


def test_folder_without_a_set_ends_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no data set" in capsys.readouterr().err


def test_items_come_worst_first_and_failures_before_all() -> None:
    rows = [
        ItemFigures("good", (), {"final": {"iou": 0.9}}),
        ItemFigures("bad", (), {"final": {"iou": 0.3}}),
        ItemFigures("failed", (), {"final": {"iou": 0.95}}, failures={"mesh of final": "no subject"}),
    ]
    assert worst_first(gather(rows, {})) == ["failed", "bad", "good"]


def test_leak_is_red_and_missing_is_blue() -> None:
    truth = np.array([[255, 0, 255, 0]], np.uint8)
    mask = np.array([[255, 0, 0, 255]], np.uint8)
    painted = colour_errors(mask, truth)[0].tolist()
    assert painted == [[255, 255, 255], [0, 0, 0], list(MISSING), list(LEAK)]


def test_interval_narrows_with_more_items() -> None:
    rng = np.random.default_rng(0)
    few, many = mean_interval(rng.normal(size=10).tolist()), mean_interval(rng.normal(size=1000).tolist())
    assert many.high - many.low < (few.high - few.low) / 4


def test_interval_of_normal_values_is_near_two_standard_errors() -> None:
    values = np.random.default_rng(1).normal(5.0, 1.0, 400)
    found = mean_interval(values.tolist())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.08)


def test_pairing_removes_what_items_have_in_common() -> None:
    hardness = np.random.default_rng(2).normal(0, 1.0, 30)
    found = paired_interval((hardness + 0.1).tolist(), hardness.tolist())
    assert found.is_clear and found.mean == pytest.approx(0.1) and found.high - found.low < 1e-9


def test_pairs_must_be_complete() -> None:
    with pytest.raises(ValueError, match="one pair an item"):
        paired_interval([1.0], [1.0, 2.0])


def test_every_named_way_and_ablation_exists() -> None:
    assert {*MASK_VARIANTS, *MESH_VARIANTS} <= VARIANTS.keys()
    assert all(first in VARIANTS and second in VARIANTS for first, second in ABLATIONS)
