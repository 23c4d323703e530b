"""What the brush does to the mask that is sent."""

import io

import pytest
from PIL import Image

CENTRE, CORNER = (60, 45), (10, 10)  # of the photo: inside the subject, outside


@pytest.fixture
def editing(page, give, finished):
    """The page with the mask of a finished photo under the brush."""
    give(page)
    finished(page)
    page.get_by_role("button", name="Edit mask").click()
    page.locator("#brush").wait_for()
    return page


@pytest.fixture
def sent(site, made_anew):
    """Return a function that uses the mask of a page and returns the picture that was sent."""

    def use(page):
        made_anew(page, page.get_by_role("button", name="Use this mask").click)
        return Image.open(io.BytesIO(site.last()["mask"].mask)).convert("L")

    return use


def _drag(page, begin, end):
    box = page.locator("#brush").bounding_box()
    points = [(box["x"] + box["width"] * x / 120, box["y"] + box["height"] * y / 90) for x, y in (begin, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def test_a_mask_that_was_not_touched_is_sent_as_it_came(editing, sent):
    mask = sent(editing)
    assert (mask.size, mask.getpixel(CENTRE), mask.getpixel(CORNER)) == ((120, 90), 255, 0)


def test_add_paints_what_was_missing(editing, sent):
    _drag(editing, CORNER, (25, 10))
    mask = sent(editing)
    assert (mask.getpixel(CORNER), mask.getpixel((18, 10)), mask.getpixel((110, 80))) == (255, 255, 0)


def test_remove_takes_away(editing, sent):
    editing.get_by_role("radio", name="Remove").check()
    _drag(editing, CENTRE, CENTRE)
    mask = sent(editing)
    assert (mask.getpixel(CENTRE), mask.getpixel((36, 45))) == (0, 255)


def test_a_larger_brush_paints_more(editing, sent):
    editing.get_by_label("Size").fill("150")
    _drag(editing, CORNER, CORNER)
    assert sent(editing).getpixel((22, 10)) == 255


def test_undo_takes_back_one_stroke(editing, sent):
    _drag(editing, CORNER, CORNER)
    _drag(editing, (110, 80), (110, 80))
    editing.get_by_role("button", name="Undo").click()
    mask = sent(editing)
    assert (mask.getpixel(CORNER), mask.getpixel((110, 80))) == (255, 0)


def test_starting_over_brings_back_the_mask_that_came_and_can_be_undone(editing, sent):
    _drag(editing, CORNER, CORNER)
    editing.get_by_role("button", name="Start over").click()
    editing.get_by_role("button", name="Undo").click()
    editing.get_by_role("button", name="Start over").click()
    assert sent(editing).getpixel(CORNER) == 0


def test_the_brush_works_by_keys_alone(editing, sent):
    editing.keyboard.press("x")
    editing.keyboard.press(" ")
    for _ in range(3):
        editing.keyboard.press("Shift+ArrowLeft")
    mask = sent(editing)
    assert (mask.getpixel(CENTRE), mask.getpixel((57, 45)), mask.getpixel((85, 45))) == (0, 0, 255)


def test_keys_size_and_undo(editing, sent):
    before = editing.get_by_label("Size").input_value()
    editing.keyboard.press("]")
    assert int(editing.get_by_label("Size").input_value()) > int(before)
    editing.keyboard.press("x")
    editing.keyboard.press(" ")
    editing.keyboard.press("Control+z")
    assert sent(editing).getpixel(CENTRE) == 255


def test_escape_leaves_and_changes_nothing(site, editing):
    _drag(editing, CORNER, CORNER)
    editing.locator("#brush").press("Escape")
    assert editing.locator("#brush").is_hidden()
    assert editing.locator("#split").is_visible()
    assert len(site.orchestrator.calls) == 1


def test_the_receipt_says_whose_mask_it_is_and_the_way_back_is_one_click(site, editing, sent, made_anew):
    sent(editing)
    assert "The mask is the one you brought." in editing.locator("#receipt-words").inner_text()
    made_anew(editing, editing.get_by_role("button", name="Use the automatic one").click)
    assert "brought" not in editing.locator("#receipt-words").inner_text()
    assert site.last()["mask"].mask == b""


def test_later_settings_keep_the_mask_that_was_drawn(site, editing, sent, made_anew):
    sent(editing)
    made_anew(editing, editing.get_by_role("radio", name="Fast").check)
    assert (site.last()["mask"].preset, bool(site.last()["mask"].mask)) == ("fast", True)
