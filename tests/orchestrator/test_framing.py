"""The frame that the mesher sees: placed by the subject, never by dirt, and nothing of it lost."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from services.common.errors import InvalidOption, NoSubject
from services.mesher.triposr.picture import compose_on_grey
from services.orchestrator.framing import FramingOptions, frame_subject
from tests.needs import SHARED

GOLDEN = SHARED / "golden" / "triposr"


def scene(height=300, width=400, box=(150, 80, 250, 240), colour=(200, 60, 30)):
    photo = np.full((height, width, 3), (20, 90, 220), np.uint8)
    alpha = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = box
    alpha[y0:y1, x0:x1] = 1.0
    photo[y0:y1, x0:x1] = colour
    return photo, alpha


def official_framing(rgba, ratio, lost=1):
    """TripoSR's resize_foreground; `lost` = 0 keeps the last row and column that it loses."""
    ys, xs = np.nonzero(rgba[..., 3] > 0)
    cut = rgba[ys.min() : ys.max() + 1 - lost, xs.min() : xs.max() + 1 - lost]
    size = max(cut.shape[:2])
    for target in (size, int(size / ratio)):
        ph, pw = target - cut.shape[0], target - cut.shape[1]
        cut = np.pad(cut, ((ph // 2, ph - ph // 2), (pw // 2, pw - pw // 2), (0, 0)))
    return cut


def test_subject_fills_the_ratio_and_sits_in_the_middle():
    photo, alpha = scene()
    frame = frame_subject(photo, alpha, None, FramingOptions())
    assert frame.rgba.shape == (512, 512, 4)
    assert frame.box == (150, 80, 250, 240)
    assert frame.share == pytest.approx(0.85, abs=0.005)
    ys, xs = np.nonzero(frame.rgba[..., 3] > 127)
    assert abs((ys.min() + ys.max()) / 2 - 255.5) <= 1
    assert abs((xs.min() + xs.max()) / 2 - 255.5) <= 1
    assert frame.depth is None


def test_one_stray_pixel_neither_moves_the_frame_nor_stays():
    photo, alpha = scene()
    clean = frame_subject(photo, alpha, None, FramingOptions())
    for value in (1.0, 1 / 255):
        dirty = alpha.copy()
        dirty[2, 3] = value
        frame = frame_subject(photo, dirty, None, FramingOptions())
        assert frame.box == clean.box
        assert np.array_equal(frame.rgba, clean.rgba)


def test_speck_inside_the_frame_is_removed():
    photo, alpha = scene(box=(100, 80, 300, 200))
    clean = frame_subject(photo, alpha, None, FramingOptions())
    dirty = alpha.copy()
    dirty[210:213, 200:203] = 1.0  # below the subject, within the frame's margin
    assert np.array_equal(frame_subject(photo, dirty, None, FramingOptions()).rgba, clean.rgba)


def test_second_shoe_belongs_to_the_subject():
    photo, alpha = scene(box=(50, 80, 150, 240))
    alpha[120:200, 260:320] = 1.0
    assert frame_subject(photo, alpha, None, FramingOptions()).box == (50, 80, 320, 240)


def test_small_component_within_the_box_stays():
    photo, alpha = scene(box=(100, 50, 300, 250))
    alpha[100:200, 150:250] = 0.0
    alpha[140:150, 190:200] = 1.0  # a bead in a ring
    rgba = frame_subject(photo, alpha, None, FramingOptions()).rgba
    assert rgba[250, 245, 3] > 200


def test_haze_around_the_subject_does_not_shrink_it():
    photo, alpha = scene()
    alpha[alpha == 0] = 0.1
    frame = frame_subject(photo, alpha, None, FramingOptions())
    assert frame.share > 0.75


def test_soft_edge_stays_within_the_frame():
    photo, alpha = scene()
    soft = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    rgba = frame_subject(photo, soft, None, FramingOptions(ratio=1.0)).rgba
    assert rgba[0, :, 3].max() < 30
    assert rgba[-1, :, 3].max() < 30


def test_last_row_and_column_are_not_lost():
    photo, alpha = scene(box=(0, 0, 400, 300))
    photo[-1], photo[:, -1] = (0, 255, 0), (0, 255, 0)
    frame = frame_subject(photo, alpha, None, FramingOptions(ratio=1.0, side=400))
    assert tuple(frame.rgba[200, 399]) == (0, 255, 0, 255)
    assert tuple(frame.rgba[349, 200]) == (0, 255, 0, 255)
    assert frame.rgba[350, 200, 3] == 0


def test_borders_that_the_subject_touches_are_named():
    photo, alpha = scene(box=(0, 80, 100, 300))
    assert frame_subject(photo, alpha, None, FramingOptions()).touches == ("left", "bottom")
    photo, alpha = scene()
    assert frame_subject(photo, alpha, None, FramingOptions()).touches == ()


@pytest.mark.parametrize("size", [(64, 64), (3000, 2400)])
def test_colours_do_not_bleed_over_the_edge_at_any_scale(size):
    height, width = size
    photo, alpha = scene(height, width, (width // 4, height // 5, width // 2, height // 2))
    rgba = frame_subject(photo, alpha, None, FramingOptions()).rgba
    seen = rgba[..., 3] > 0
    off = np.abs(rgba[seen][:, :3].astype(int) - (200, 60, 30)).max()
    assert off <= 1, f"the background bleeds by {off} of 255"


def test_shrinking_is_antialiased():
    photo, alpha = scene(2000, 2000, (200, 200, 1800, 1800))
    photo[::2] = 0
    photo[1::2] = 200
    rgba = frame_subject(photo, alpha, None, FramingOptions(side=128)).rgba
    inside = rgba[30:98, 30:98, 0].astype(int)
    assert np.abs(inside - 100).max() <= 3


def test_depth_follows_the_photo_and_ends_with_it():
    photo, alpha = scene(box=(0, 80, 100, 240))
    x = np.mgrid[0:150, 0:200][1].astype(np.float32)  # half the photo's size
    frame = frame_subject(photo, alpha, x * 2 + 0.5, FramingOptions())
    assert frame.depth is not None
    assert frame.depth.dtype == np.float32
    scale = 0.85 * 512 / 160
    beyond = int((0.5 * 512 / scale - 50) * scale)
    assert np.isnan(frame.depth[:, : beyond - 2]).all()
    assert np.isfinite(frame.depth[256, beyond + 2 :]).all()
    at = (300.5 - beyond) / scale
    assert frame.depth[256, 300] == pytest.approx(at - 0.5, abs=1.0)


def test_unseen_depth_stays_unseen():
    photo, alpha = scene()
    depth = np.ones(alpha.shape, np.float32)
    depth[140:180, 180:220] = np.nan
    frame = frame_subject(photo, alpha, depth, FramingOptions())
    assert frame.depth is not None
    assert np.isnan(frame.depth[256, 256])
    assert frame.depth[60, 256] == 1.0


def test_camera_is_that_of_the_photo():
    photo, alpha = scene()
    frame = frame_subject(photo, alpha, None, FramingOptions())
    scale = 512 / int(160 / 0.85)
    assert frame.focal_px == pytest.approx(1.4 * 400 * scale)
    assert frame.cx == pytest.approx(256.0)
    assert frame.cy == pytest.approx((150 - 66) * scale)
    assert frame_subject(photo, alpha, None, FramingOptions(focal_px=500.0)).focal_px == pytest.approx(500 * scale)


def test_faint_mask_is_still_framed():
    photo, alpha = scene()
    assert frame_subject(photo, alpha * np.float32(0.3), None, FramingOptions()).box == (150, 80, 250, 240)


def test_empty_mask_is_no_subject():
    photo, alpha = scene()
    for empty in (alpha * 0, alpha * np.float32(1 / 255)):
        with pytest.raises(NoSubject, match="mask is empty"):
            frame_subject(photo, empty, None, FramingOptions())


def test_single_pixel_can_be_framed():
    photo, alpha = scene(box=(10, 10, 11, 11))
    assert frame_subject(photo, alpha, None, FramingOptions()).box == (10, 10, 11, 11)


def test_inputs_are_not_written_to():
    photo, alpha = scene()
    alpha[0, 0] = 1.0
    before = photo.copy(), alpha.copy()
    frame_subject(photo, alpha, alpha, FramingOptions())
    assert np.array_equal(photo, before[0])
    assert np.array_equal(alpha, before[1])


@pytest.mark.parametrize("wrong", [{"ratio": 0.0}, {"ratio": 1.1}, {"side": 4}, {"focal_px": -1.0}])
def test_wrong_option_is_refused(wrong):
    with pytest.raises(InvalidOption):
        FramingOptions(**wrong)


def test_equals_the_official_framing_but_for_its_lost_row_and_column():
    y, x = np.mgrid[0:300, 0:420]
    alpha = np.clip(100 - np.hypot(x - 200, (y - 140) * 1.3) + 0.5, 0, 1)
    rgba = np.zeros((300, 420, 4), np.uint8)
    rgba[..., :3] = np.stack([x % 256, y % 256, (x + y) % 256], axis=2)
    rgba[..., 3] = np.rint(alpha * 255)
    wanted = compose_on_grey(official_framing(rgba, 0.85, lost=0))
    side = wanted.shape[0]
    frame = frame_subject(rgba[..., :3], rgba[..., 3] / np.float32(255), None, FramingOptions(side=side))
    assert np.array_equal(compose_on_grey(frame.rgba), wanted)


@pytest.mark.needs_shared
class TestAgainstOfficialCases:
    cases = ("opaque_40x30", "box_inside", "tall", "soft_disc_odd", "soft_disc_ratio1", "soft_disc_ratio0.5")

    def test_case_list_is_known(self):
        assert set(self.cases) <= set(json.loads((GOLDEN / "framing.json").read_text()))

    @pytest.mark.parametrize("case", cases)
    def test_composite_is_bit_equal(self, case):
        data = np.load(GOLDEN / "framing.npz")
        assert np.array_equal(compose_on_grey(data[f"{case}/resized"]), data[f"{case}/framed"])

    @pytest.mark.parametrize("case", cases)
    def test_frame_equals_the_official_one_without_its_defect(self, case):
        data = np.load(GOLDEN / "framing.npz")
        rgba, ratio = data[f"{case}/rgba"], float(data[f"{case}/ratio"])
        assert np.array_equal(official_framing(rgba, ratio), data[f"{case}/resized"]), "the reference in this test"
        wanted = compose_on_grey(official_framing(rgba, ratio, lost=0))
        side = wanted.shape[0]
        frame = frame_subject(
            rgba[..., :3], rgba[..., 3] / np.float32(255), None, FramingOptions(ratio=ratio, side=side)
        )
        difference = np.abs(compose_on_grey(frame.rgba).astype(int) - wanted)
        # Alpha fainter than 2 % is dropped here: up to 5 steps of 255 at the outermost ring of a soft edge.
        assert difference.max() <= 5, f"largest difference {difference.max()} of 255"
