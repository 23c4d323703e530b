import numpy as np

from evaluation.studies.mask_robustness import SHARE, Outcome, forms_of, table, useless_depths


def square() -> np.ndarray:
    mask = np.zeros((120, 160), np.float32)
    mask[30:90, 40:120] = 1.0
    return mask


def test_forms_take_background_along_lose_subject_or_only_soften() -> None:
    exact = square()
    forms = forms_of(0.9 * exact + 0.02, exact)
    area = exact.sum()
    hard = {name: mask >= 0.5 for name, mask in forms.items()}
    assert (hard["as it is"] == hard["cut at one half"]).all() and (hard["exact"] == (exact > 0)).all()
    np.testing.assert_allclose((hard["two leaks"].sum() - area) / area, 2 * SHARE, atol=0.03)
    np.testing.assert_allclose((area - hard["two missing parts"].sum()) / area, 2 * SHARE, atol=0.05)
    assert 0 < forms["blurred by 2 px"][30, 40] < 1


def test_useless_depths_are_of_the_photos_size_and_not_the_photos_own() -> None:
    depth = np.tile(np.linspace(0, 1, 160, dtype=np.float32), (120, 1))
    for useless in useless_depths(depth, depth[::-1, ::-1]).values():
        assert useless.shape == depth.shape and useless.dtype == np.float32
        assert not np.array_equal(useless, depth)


def test_the_table_counts_who_got_worse_and_says_by_how_much() -> None:
    outcomes = [Outcome("as it is", "refined", 0.8, 0.9, 0.7), Outcome("as it is", "refined", 0.9, 0.85, 0.8)]
    row = table(outcomes).splitlines()[2]
    assert row == "| as it is | refined | 0.8500 | 0.8750 | +16.7% | 0.750 | 1 of 2 | -0.0500 |"
