from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from evaluation.report.showcase import TILE_PX, choose, draw_item
from evaluation.sets import Item


def figures(raw: float | None, final: float | None) -> dict[str, object]:
    return {"meshes": {"raw": {"f@0.1": raw}, "final": {"f@0.1": final}}}


def test_the_median_gain_and_the_worst_mesh_are_shown_not_the_prettiest() -> None:
    items = {"best": figures(0.2, 0.9), "usual": figures(0.5, 0.6), "worst": figures(0.3, 0.2)}
    assert choose(items) == {"median": "usual", "worst": "worst"}


def test_items_without_both_meshes_are_left_out() -> None:
    items = {"failed": figures(0.1, None), "only": figures(0.5, 0.6)}
    assert choose(items) == {"median": "only", "worst": "only"}
    with pytest.raises(ValueError, match="wanted a run with both"):
        choose({"failed": figures(None, 0.5)})


def test_a_row_shows_photo_masks_and_meshes_of_both(tmp_path: Path) -> None:
    for folder in ("masks", "meshes"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    for variant in ("raw", "final"):
        Image.fromarray(np.full((60, 80), 200, np.uint8)).save(tmp_path / "masks" / f"cube.{variant}.png")
        trimesh.creation.box().export(tmp_path / "meshes" / f"cube.{variant}.glb")
    row = draw_item(Item("cube", tmp_path / "photo.png"), tmp_path)
    tiles = [row[:TILE_PX, k * TILE_PX : (k + 1) * TILE_PX] for k in range(row.shape[1] // TILE_PX)]
    assert len(tiles) == 7
    assert all(tile.std() > 5 for tile in tiles)
