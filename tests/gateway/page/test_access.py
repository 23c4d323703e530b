"""For everyone: axe-core in both themes, phones, keys alone, reduced motion."""

import json

import pytest

STATES = ("first", "problem", "done", "editing")


def _bring_to(state, page, give, finished):
    if state == "problem":
        give(page, b"not a picture", "notes.png")
        page.locator("#problem").wait_for()
    if state in ("done", "editing"):
        give(page)
        finished(page)
        page.get_by_text("What ran").click()
    if state == "editing":
        page.get_by_role("button", name="Edit mask").click()
        page.locator("#brush").wait_for()


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_either_theme(site, visit, give, finished, axe, state):
    page = visit(site.url, bypass_csp=True, reduced_motion="reduce")
    _bring_to(state, page, give, finished)
    page.evaluate(axe)
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate("axe.run().then((result) => result.violations)")
        found[scheme] = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]
    assert found == {"light": [], "dark": []}


@pytest.mark.parametrize("state", STATES)
def test_nothing_runs_out_of_a_narrow_window(site, visit, give, finished, state):
    page = visit(site.url, 360, 740, has_touch=True)
    _bring_to(state, page, give, finished)
    widths = (360, 390, 768)
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 740})
        found.append(page.evaluate("document.documentElement.scrollWidth"))
    assert tuple(found) == widths


def test_a_phone_is_offered_its_camera(site, visit):
    page = visit(site.url, 390, 844, has_touch=True, is_mobile=True)
    assert page.get_by_text("Take a photo").is_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"


def test_a_desk_is_not(page):
    assert page.get_by_text("Take a photo").is_hidden()


def test_the_whole_way_works_by_keys_alone(site, page, finished):
    def tab_to(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            if name in page.evaluate(
                "(document.activeElement.labels?.[0] ?? document.activeElement).textContent + "
                "(document.activeElement.getAttribute('aria-label') ?? '')"
            ):
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("Plant")
    page.keyboard.press("Enter")
    finished(page)
    tab_to("Edit mask")
    page.keyboard.press("Enter")
    page.locator("#brush").wait_for()
    page.keyboard.press(" ")
    tab_to("Use this mask")
    page.keyboard.press("Enter")
    page.locator("#own-mask").wait_for()
    finished(page)
    tab_to("Compare: photo")
    page.keyboard.press("End")
    assert page.locator("#split").input_value() == "100"
    assert site.last()["mask"].mask


def test_focus_is_seen(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_progress_is_said_aloud_once_for_each_stage(site, page, give, finished):
    page.evaluate("""() => {
        window.said = [];
        const now = document.getElementById("progress-now");
        new MutationObserver(() => window.said.push(now.textContent)).observe(now, { childList: true });
    }""")
    give(page)
    finished(page)
    said = json.loads(page.evaluate("JSON.stringify(window.said)"))
    assert page.locator("#progress-now").get_attribute("aria-live") == "polite"
    assert len(said) == len(set(said))


def test_who_wants_no_motion_gets_none(site, visit):
    page = visit(site.url, reduced_motion="reduce")
    assert page.locator("#again").evaluate("(button) => getComputedStyle(button).transitionDuration") == "0s"
