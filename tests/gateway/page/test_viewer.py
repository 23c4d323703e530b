"""The mesh in the page: turned by keys and pointer, or as six views."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def viewed(page, give, finished):
    """The page with a mesh that can be turned."""
    give(page)
    finished(page)
    page.locator("#viewer-tools").wait_for()
    return page


def _picture(page):
    """(H, W, 3) of what is seen, without the ring of the focus."""
    shot = Image.open(io.BytesIO(page.locator("#viewer").screenshot())).convert("RGB")
    return np.asarray(shot, np.int16)[8:-8, 8:-8]


def _differing(one, other):
    return float(np.mean(np.abs(one - other).max(axis=2) > 8))


@pytest.mark.needs_node
def test_the_mesh_is_drawn_in_its_colours(viewed):
    height, width, _ = _picture(viewed).shape
    red, green, blue = _picture(viewed)[height // 2, width // 2]
    assert red > green > blue
    corner = _picture(viewed)[5, 5]
    assert np.abs(corner - _picture(viewed)[height - 5, width - 5]).max() < 4


@pytest.mark.needs_node
def test_a_wireframe_shows_the_ground_between_its_lines_and_goes_again(viewed):
    whole = _picture(viewed)
    button = viewed.get_by_role("button", name="Wireframe")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert _differing(whole, _picture(viewed)) > 0.05
    viewed.locator("#viewer").press("w")
    assert button.get_attribute("aria-pressed") == "false"
    assert _differing(whole, _picture(viewed)) < 0.005


@pytest.mark.needs_node
def test_clay_takes_the_colours_away(viewed):
    viewed.get_by_role("button", name="Clay").click()
    picture = _picture(viewed)
    red, _, blue = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert red - blue < 30


@pytest.mark.needs_node
def test_keys_zoom_and_reset(viewed):
    begin = _picture(viewed)
    viewed.locator("#viewer").press("-")
    viewed.locator("#viewer").press("-")
    assert _differing(begin, _picture(viewed)) > 0.05
    viewed.locator("#viewer").press("0")
    assert _differing(begin, _picture(viewed)) < 0.005


@pytest.mark.needs_node
def test_arrows_turn_the_wireframe_and_reset_turns_it_back(viewed):
    viewed.get_by_role("button", name="Wireframe").click()
    begin = _picture(viewed)
    viewed.locator("#viewer").press("ArrowLeft")
    viewed.locator("#viewer").press("ArrowUp")
    assert _differing(begin, _picture(viewed)) > 0.02
    viewed.get_by_role("button", name="Reset the view").click()
    assert _differing(begin, _picture(viewed)) < 0.01


@pytest.mark.needs_node
def test_the_pointer_turns_it(viewed):
    viewed.get_by_role("button", name="Wireframe").click()
    begin = _picture(viewed)
    box = viewed.locator("#viewer").bounding_box()
    viewed.mouse.move(box["x"] + 200, box["y"] + 200)
    viewed.mouse.down()
    viewed.mouse.move(box["x"] + 260, box["y"] + 220, steps=3)
    viewed.mouse.up()
    assert _differing(begin, _picture(viewed)) > 0.02


@pytest.mark.parametrize(
    ("breaks", "why"),
    [
        ("bundle", "was not built on this server"),
        pytest.param("webgl", "This browser shows no 3D", marks=pytest.mark.needs_node),
    ],
)
def test_without_a_viewer_there_are_six_views_and_the_reason(visit, site, give, finished, breaks, why):
    page = visit("about:blank")
    if breaks == "bundle":
        page.route("**/vendor/three.js", lambda route: route.fulfill(status=404))
    else:
        page.add_init_script(
            "HTMLCanvasElement.prototype.getContext = ((real) => function (kind, ...rest) "
            "{ return kind.startsWith('webgl') ? null : real.call(this, kind, ...rest); })"
            "(HTMLCanvasElement.prototype.getContext);"
        )
    page.goto(site.url)
    give(page)
    finished(page)
    page.locator("#views", has_text=why).wait_for()
    assert page.locator("#views-picture").evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") > 0
    assert page.locator("#viewer").is_hidden()
