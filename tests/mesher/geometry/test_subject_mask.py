import numpy as np

from services.mesher.geometry.subject_mask import long_side, subject_mask


def test_specks_go_and_a_second_part_of_some_size_stays() -> None:
    alpha = np.zeros((60, 60), np.float32)
    alpha[10:40, 10:40] = 1.0
    alpha[50:54, 50:54] = 1.0  # 16 px of 900
    alpha[50:52, 5:8] = 1.0  # 6 px
    found = subject_mask(alpha)
    assert found[52, 52] and not found[51, 6]
    assert np.count_nonzero(found) == 916


def test_an_empty_mask_has_no_long_side() -> None:
    assert long_side(np.zeros((4, 4), np.bool_)) == 0
