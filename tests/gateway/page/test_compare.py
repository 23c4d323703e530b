"""Photo and result beside each other: the divider, the layers, the backgrounds."""

import pytest


@pytest.fixture
def done(page, give, finished):
    """The page with a finished photo."""
    give(page)
    finished(page)
    return page


def _clip(page):
    return page.locator("#after").evaluate("(after) => getComputedStyle(after).clipPath")


def test_the_divider_follows_the_pointer(done):
    box = done.locator("#frame").bounding_box()
    done.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert float(done.locator("#split").input_value()) == pytest.approx(25, abs=1.5)
    assert float(_clip(done).split()[-1].rstrip("%)")) == pytest.approx(25, abs=1.5)


def test_the_divider_follows_the_keys(done):
    slider = done.get_by_role("slider", name="Compare")
    slider.focus()
    done.keyboard.press("Home")
    assert _clip(done).endswith("0%)")
    done.keyboard.press("End")
    assert _clip(done).endswith("100%)")


def test_the_slider_says_how_much_of_the_result_is_shown(done):
    assert done.get_by_role("slider", name="Compare").get_attribute("aria-label").startswith("Compare: photo")


def test_each_mask_on_the_way_can_be_looked_at(done):
    named = done.locator("#layers label").all_inner_texts()
    assert [name.strip() for name in named] == ["Cutout", "Found", "Depth", "Near", "Final"]
    shown = set()
    for name in ("Found", "Depth", "Final"):
        done.get_by_role("radio", name=name, exact=True).check()
        shown.add(done.locator("#after-picture").get_attribute("src"))
    assert len(shown) == 3


def test_what_does_not_exist_is_not_offered(site, page, give, finished):
    site.orchestrator.depth_lost = "no depth backend can run here"
    give(page)
    finished(page)
    assert [name.strip() for name in page.locator("#layers label").all_inner_texts()] == ["Cutout", "Found", "Final"]


@pytest.mark.parametrize(
    ("name", "colour"), [("White", "rgb(255, 255, 255)"), ("Black", "rgb(0, 0, 0)"), ("Green", "rgb(0, 177, 64)")]
)
def test_the_cutout_stands_on_the_chosen_background(done, name, colour):
    done.get_by_role("radio", name=name).check()
    assert done.locator("#after").evaluate("(after) => getComputedStyle(after).backgroundColor") == colour


def test_a_mask_has_no_background_to_choose(done):
    done.get_by_role("radio", name="Final", exact=True).check()
    assert done.get_by_role("radio", name="Green").is_disabled()


def test_a_run_with_other_settings_keeps_the_layer_that_was_looked_at(done, made_anew):
    done.get_by_role("radio", name="Depth", exact=True).check()
    made_anew(done, done.get_by_role("radio", name="Fast").check)
    assert done.get_by_role("radio", name="Depth", exact=True).is_checked()


def test_a_photo_that_the_browser_cannot_show_still_has_its_cutout(page, give, finished):
    page.evaluate("(Image.prototype.decode = () => Promise.reject(new Error('no such format')), null)")
    give(page)
    finished(page)
    assert page.locator("#split").is_hidden()
    assert _clip(page).endswith("0%)")
    assert page.get_by_role("button", name="Edit mask").is_disabled()
