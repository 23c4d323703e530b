from __future__ import annotations

import numpy as np

from services.common.imaging.uncertain_regions import find_uncertain_regions


def test_an_area_of_doubt_is_an_uncertain_region_and_an_outline_is_not() -> None:
    unsure = np.zeros((300, 400), dtype=bool)
    unsure[50:100, 50:120] = True
    unsure[200:206, :] = True
    regions = find_uncertain_regions(unsure)
    assert regions[60:90, 60:110].all()
    assert not regions[190:220].any()
    assert not (regions & ~unsure).any()
