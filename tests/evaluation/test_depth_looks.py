"""The simulated network that several looks are measured with."""

from __future__ import annotations

import numpy as np

from evaluation.depth_looks import FIXED, WAYS, SimulatedNetwork, as_markdown, main, measure, score


def _truth() -> np.ndarray:
    y, x = np.mgrid[:300, :400]
    return np.where((x - 150) ** 2 + (y - 120) ** 2 < 6400, 1.0, 0.2 + x / 1000).astype(np.float32)


def test_a_look_resembles_the_truth_and_is_not_it() -> None:
    network = SimulatedNetwork(_truth(), 1)
    found = score(network.estimate(network.picture()), _truth())
    assert 0.001 < found["error"] < 0.05


def test_a_mirror_image_is_seen_mirrored() -> None:
    network = SimulatedNetwork(_truth(), 1)
    mirrored = network.estimate(network.picture()[:, ::-1])
    assert score(mirrored[:, ::-1], _truth())["error"] < 0.05 < score(mirrored, _truth())["error"]


def test_a_tile_is_seen_finer_than_the_whole() -> None:
    network = SimulatedNetwork(_truth(), 1)
    window = slice(30, 210), slice(60, 240)
    whole = network.estimate(network.picture())[window]
    tile = network.estimate(network.picture()[window])
    steps = [np.abs(np.diff(found, axis=1)).max() / np.ptp(found) for found in (whole, tile)]
    assert steps[1] > 1.2 * steps[0], steps


def test_two_looks_differ() -> None:
    network = SimulatedNetwork(_truth(), 1)
    assert np.abs(network.estimate(network.picture()) - network.estimate(network.picture())).max() > 0.01


def test_high_quality_has_truer_boundaries_on_a_scene() -> None:
    found = measure(FIXED / "p0208_mug", lambda _: None)
    high, once = found["mirror and 2 × 2 tiles (high)"], found["one look"]
    assert high["boundary_f1"] > once["boundary_f1"] + 0.01, found
    assert high["error"] < 1.1 * once["error"], found
    table = as_markdown([found])
    assert table.count("\n") == 2 + len(WAYS)


def test_a_folder_without_scenes_is_an_error(tmp_path, capsys) -> None:
    try:
        main(["--set", str(tmp_path)])
    except SystemExit as end:
        assert end.code == 2
    assert "no scene" in capsys.readouterr().err
