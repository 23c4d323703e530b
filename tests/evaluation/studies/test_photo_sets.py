"""The measurement of photo sets on one drawn photo: a view without a mask gets it back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation.__main__ import main
from evaluation.studies.photo_sets import DAMAGES


def test_a_red_disc_on_grey_is_found_again_by_its_colours(tmp_path, capsys):
    y, x = np.mgrid[0:160, 0:240]
    disc = np.hypot(x - 120, y - 80) < 55
    cv2.imwrite(str(tmp_path / "disc.jpg"), np.where(disc[..., None], (40, 40, 200), (130, 125, 120)).astype(np.uint8))
    for kind in ("mask", "isnet"):
        cv2.imwrite(str(tmp_path / f"disc.{kind}.png"), disc.astype(np.uint8) * 255)
    assert main(["photo-sets", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("of 10 views flagged")
    assert len(said) == 1 + len(DAMAGES)
    mended = {line.split(":")[0]: line for line in said[1:]}["nothing found"]
    assert "1 of 1 flagged, 1 brought in line" in mended
    assert float(mended.split(" to ")[1].split(",")[0]) == pytest.approx(1.0, abs=0.05)
