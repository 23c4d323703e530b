"""`python -m deploy.capacity` as it is typed."""

from __future__ import annotations

import pytest

from deploy.capacity.__main__ import main
from deploy.capacity.plan import StageTimes
from deploy.capacity.service_times import read_times, write_times

MEASURED = [
    StageTimes("segmentation", 0.2, 0.1, backend="rembg:isnet-general-use", device="cuda", samples=20),
    StageTimes("mesher", 0.4, 0.1, 1.1, backend="triposr", device="cuda", samples=22),
    StageTimes("orchestrator", 0.5, 0.2, samples=20),
]


@pytest.fixture
def times(tmp_path):
    path = tmp_path / "times.json"
    write_times(path, MEASURED)
    return str(path)


@pytest.fixture
def refused(capsys):
    """Returns what is said of wrong usage."""

    def say(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        return capsys.readouterr().err

    return say


def test_a_plan_names_replicas_gpus_and_the_cost_of_a_thousand(times, capsys):
    main(["--rps", "50", "--times", times, "--gpu", "segmentation", "mesher", "--gpu-price", "2"])
    said = capsys.readouterr().out
    for word in ("segmentation", "mesher", "orchestrator", "for 1,000 meshes", "none of depth", "triposr (cuda)"):
        assert word in said


def test_times_are_saved_for_the_next_plan(times, tmp_path):
    again = tmp_path / "again.json"
    main(["--rps", "1", "--times", times, "--save", str(again)])
    assert read_times(again) == MEASURED


def test_no_source_of_times_or_a_wrong_one_is_a_wrong_usage(refused):
    assert "one of the arguments --times --metrics is required" in refused("--rps", "1")
    assert "holds no service times" in refused("--rps", "1", "--times", "nowhere.json")


def test_a_stage_that_does_not_exist_cannot_have_a_gpu(refused, times):
    assert "messer" in refused("--rps", "1", "--times", times, "--gpu", "messer")
