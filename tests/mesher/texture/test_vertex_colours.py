import numpy as np
import pytest

from services.mesher.texture.vertex_colours import clean_palette, fill_evenly, photo_share

BACKGROUND, SUBJECT = (20, 40, 220), (200, 60, 40)


def picture(rim_px: int, half_width: float = 60) -> np.ndarray:
    """A square of one colour whose outermost pixels already hold half of the background's."""
    v, u = np.mgrid[:256, :256] + 0.5
    inside = half_width - np.maximum(np.abs(u - 128), np.abs(v - 128))
    rgba = np.zeros((256, 256, 4), np.uint8)
    rgba[..., :3] = np.where((inside > 0)[..., None], SUBJECT, BACKGROUND)
    mixed = (np.array(SUBJECT) + BACKGROUND) // 2
    rgba[(inside > 0) & (inside < rim_px), :3] = mixed
    rgba[..., 3] = np.where(inside > 0, 255, 0)
    return rgba


@pytest.mark.parametrize("rim_px", [1, 2])
def test_background_in_the_rim_is_replaced_by_what_lies_inside(rim_px: int) -> None:
    sharp, soft = clean_palette(picture(rim_px))
    for palette in (sharp, soft):
        assert np.abs(palette.astype(int) - SUBJECT).max() <= 1


def test_speck_beside_the_rim_is_not_drawn_out_over_it() -> None:
    rgba = picture(0)
    rgba[128, 70, :3] = BACKGROUND  # deeper inside than the rim, and the nearest to what lies left of it
    sharp, _ = clean_palette(rgba)
    beside = sharp[128, 60:69].astype(int)
    assert np.abs(beside - SUBJECT).max() < 0.2 * np.abs(np.subtract(SUBJECT, BACKGROUND)).max()


def test_inner_detail_stays_sharp() -> None:
    rgba = picture(0)
    rgba[:, 128:, :3] = (10, 200, 10)
    sharp, _ = clean_palette(rgba)
    assert tuple(sharp[128, 127]) == SUBJECT
    assert tuple(sharp[128, 128]) == (10, 200, 10)


def test_thin_part_keeps_the_colour_of_its_own_middle() -> None:
    rgba = np.zeros((256, 256, 4), np.uint8)
    rgba[..., :3] = BACKGROUND
    rgba[20:120, 20:220] = (*SUBJECT, 255)
    rgba[120:240, 126:131] = (10, 200, 10, 255)
    sharp, _ = clean_palette(rgba)
    assert np.abs(sharp[160:230, 126:131].astype(int) - (10, 200, 10)).max() <= 2


def test_nothing_known_changes_nothing() -> None:
    rgb = picture(0)[..., :3].copy()
    assert np.array_equal(fill_evenly(rgb, np.ones(rgb.shape[:2], np.bool_), 2.0), rgb)


def test_photo_counts_alone_where_a_point_faces_the_camera_and_not_where_it_turns_away() -> None:
    assert photo_share(np.array([1.0, 0.4, 0.04, -1.0])).tolist() == [1.0, 1.0, 0.0, 0.0]
