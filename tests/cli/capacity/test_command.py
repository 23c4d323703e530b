"""`unflat capacity` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli.capacity.plan import StageTimes
from services.cli.capacity.service_times import read_times, write_times

MEASURED = [
    StageTimes("segmentation", 0.2, 0.1, backend="rembg:isnet-general-use", device="cuda", samples=20),
    StageTimes("mesher", 0.4, 0.1, 1.1, backend="triposr", device="cuda", samples=22),
    StageTimes("orchestrator", 0.5, 0.2, samples=20),
]


@pytest.fixture
def times(tmp_path: Path) -> Path:
    path = tmp_path / "times.json"
    write_times(path, MEASURED, {"measured": "2026-11-24"})
    return path


def test_a_plan_names_replicas_gpus_and_the_cost_of_a_thousand(unflat: Callable[..., Any], times: Path):
    ended = unflat("capacity", "--rps", 50, "--times", times, "--gpu", "segmentation,mesher", "--gpu-price", 2)
    assert ended.code == 0
    for word in ("segmentation", "mesher", "orchestrator", "for 1,000 meshes", "no times of depth", "triposr (cuda)"):
        assert word in ended.out


def test_the_plan_as_json_adds_up(unflat, times):
    flags = ("--gpu", "mesher", "--gpu-price", 2, "--core-price", 0.05, "--cores", 4, "--prices-of", "list, 2026-11")
    plan = json.loads(unflat("capacity", "--rps", 50, "--times", times, "--json", *flags).out)
    by_stage = {stage["times"]["stage"]: stage for stage in plan["stages"]}
    mesher = by_stage["mesher"]
    assert mesher["load"] == pytest.approx(22)
    assert mesher["replicas"] == mesher["gpus"] == plan["gpus"] >= 22 / 0.8
    assert by_stage["orchestrator"]["times"]["concurrency"] == 4
    replicas = sum(stage["replicas"] for stage in by_stage.values())
    assert plan["cost_an_hour"] == pytest.approx(plan["gpus"] * 2 + replicas * 4 * 0.05)
    assert plan["cost_per_1000"] == pytest.approx(plan["cost_an_hour"] / 180)
    assert plan["prices_of"] == "list, 2026-11"


def test_times_are_saved_for_the_next_plan(unflat, times, tmp_path):
    again = tmp_path / "again.json"
    assert unflat("capacity", "--rps", 1, "--times", times, "--save", again).code == 0
    assert read_times(again) == MEASURED


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "one of --times FILE, --metrics URL, --measure PHOTO"),
        (("--times", "nowhere.json"), "holds no service times"),
        (("--measure", "nowhere.jpg"), "cannot read nowhere.jpg"),
    ],
)
def test_no_source_of_times_or_a_wrong_one_is_a_wrong_usage(unflat, flags, said):
    ended = unflat("capacity", "--rps", 1, *flags)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_a_stage_that_does_not_exist_cannot_have_a_gpu(unflat, times):
    ended = unflat("capacity", "--rps", 1, "--times", times, "--gpu", "messer")
    assert ended.code == 2
    assert "messer" in ended.err
