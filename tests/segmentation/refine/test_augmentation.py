from __future__ import annotations

import numpy as np

from services.segmentation.refine.augmentation import (
    Box,
    augment,
    contradiction,
    find_crop,
    merge_views,
    needs_augmentation,
)

HEIGHT, WIDTH = 120, 160
SUBJECT = np.zeros((HEIGHT, WIDTH), dtype=bool)
SUBJECT[40:80, 20:70] = True
PART = np.zeros_like(SUBJECT)
PART[60:80, 20:70] = True


def _alpha(mask: np.ndarray = SUBJECT, part: float = 1.0) -> np.ndarray:
    alpha = mask.astype(np.float32)
    alpha[PART & mask] = part
    return alpha


class _Network:
    """Sees the red channel as alpha, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.shown.append(rgb)
        return rgb[..., 0].astype(np.float32) / np.float32(255)


def _photo(alpha: np.ndarray) -> np.ndarray:
    return np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_a_mask_without_doubtful_parts_is_not_augmented_at_again() -> None:
    network = _Network()
    first = _alpha()
    augmented = augment(_photo(first), first, network)
    assert augmented.alpha is first
    assert not augmented.notes and not network.shown


def test_doubt_along_an_outline_alone_needs_no_augmentation() -> None:
    first = _alpha()
    first[39:41, 20:70] = 0.5
    assert not needs_augmentation(first)
    assert needs_augmentation(_alpha(part=0.4))


def test_a_part_that_the_other_looks_are_sure_of_is_settled() -> None:
    network = _Network()
    augmented = augment(_photo(_alpha()), _alpha(part=0.4), network)
    assert np.array_equal(augmented.alpha >= 0.5, SUBJECT)
    assert len(network.shown) == 2
    assert "3 views" in augmented.notes[0] and "0 dropped" in augmented.notes[0]


def test_the_network_is_shown_the_mirrored_photo_and_the_crop() -> None:
    network = _Network()
    first = _alpha(part=0.4)
    rgb = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    augment(rgb, first, network)
    box = find_crop(first)
    assert box is not None
    assert np.array_equal(network.shown[0], rgb[:, ::-1])
    assert np.array_equal(network.shown[1], rgb[box.top : box.bottom, box.left : box.right])


def test_looks_that_saw_something_else_change_nothing() -> None:
    other = np.zeros_like(SUBJECT)
    other[40:80, 75:120] = True
    first = _alpha(part=0.4)
    augmented = augment(_photo(_alpha(other)), first, _Network())
    assert np.array_equal(augmented.alpha, first)
    assert "2 dropped" in augmented.notes[0]


def test_doubt_is_no_contradiction() -> None:
    whole = Box(0, HEIGHT, 0, WIDTH)
    assert contradiction(_alpha(part=0.4), _alpha(part=0.0), whole) == 0
    assert contradiction(_alpha(part=1.0), _alpha(part=0.0), whole) == 0.5


def test_the_crop_holds_the_subject_with_a_margin_and_ignores_specks() -> None:
    alpha = _alpha()
    alpha[5:7, 150:152] = 1.0
    assert find_crop(alpha) == Box(34, 86, 12, 78)


def test_no_crop_where_it_would_show_nothing_new() -> None:
    assert find_crop(np.zeros((HEIGHT, WIDTH), np.float32)) is None
    assert find_crop(np.ones((HEIGHT, WIDTH), np.float32)) is None


def test_where_no_look_was_the_first_stays_bit_equal() -> None:
    first = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    merged = merge_views(first, [(np.ones((20, 30), np.float32), Box(10, 30, 50, 80))])
    outside = np.ones_like(SUBJECT)
    outside[10:30, 50:80] = False
    assert np.array_equal(merged[outside], first[outside])
    assert (merged[~outside] > first[~outside]).mean() > 0.9
