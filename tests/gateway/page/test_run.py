"""A photo comes in, a job is followed, its result is there; and what is said when it is not."""

import io
import json

import pytest
from PIL import Image

from services.common.errors import NoSubject, Overloaded
from unflat.v1 import mesher_pb2

_SHOW_SETTINGS = "document.getElementById('workspace').hidden = false"  # before there is a photo


@pytest.fixture
def held(site):
    """A gateway whose orchestrator waits before its last step until the test lets it go."""
    site.orchestrator.hold.clear()
    return site


def test_a_picked_photo_becomes_a_cutout_and_a_mesh(site, page, give, finished):
    give(page)
    finished(page)
    assert page.locator("#after-picture").get_attribute("alt") == "The cutout"
    assert page.locator("#mesh-facts").inner_text() == "320 triangles · closed"
    assert site.last()["kind"] == "mesh"


def test_a_sample_is_one_click(site, page, finished):
    page.get_by_role("button", name="Mug").click()
    finished(page)
    assert Image.open(io.BytesIO(site.last()["photo"])).format == "JPEG"


def test_a_pasted_photo_is_taken(site, page, finished):
    page.evaluate("""async () => {
        const answer = await fetch("/page/samples/vase.jpg");
        const data = new DataTransfer();
        data.items.add(new File([await answer.blob()], "pasted.jpg", { type: "image/jpeg" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    }""")
    finished(page)
    assert len(site.orchestrator.calls) == 1


def test_a_dropped_photo_is_taken_wherever_it_falls(site, page, finished):
    data = page.evaluate_handle("""async () => {
        const answer = await fetch("/page/samples/vase.jpg");
        const data = new DataTransfer();
        data.items.add(new File([await answer.blob()], "dropped.jpg", { type: "image/jpeg" }));
        return data;
    }""")
    page.dispatch_event("header", "dragenter", {"dataTransfer": data})
    assert page.locator("#veil").is_visible()
    page.dispatch_event("header", "drop", {"dataTransfer": data})
    assert page.locator("#veil").is_hidden()
    finished(page)


def test_progress_names_the_stage_and_shows_the_mask_before_the_end(held, page, give, finished):
    give(page)
    page.locator("#progress-now", has_text="Building the mesh").wait_for()
    assert page.locator(".stages .past").all_inner_texts() == ["Read", "Find", "Depth", "Cut out"]
    assert page.locator("#progress-bar").evaluate("(bar) => bar.value") == pytest.approx(0.6)
    page.locator("#early").wait_for()
    held.orchestrator.hold.set()
    finished(page)
    assert page.locator("#early").is_hidden()


def test_cancel_stops_the_work_and_offers_another_try(held, page, give, finished):
    give(page)
    page.locator("#progress-now", has_text="Building the mesh").wait_for()
    page.get_by_role("button", name="Cancel").click()
    assert held.orchestrator.left.wait(10)
    held.orchestrator.hold.set()
    page.get_by_role("button", name="Try again").click()
    finished(page)


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(page, give):
    give(page, b"not a picture", "notes.png")
    page.locator("#problem").wait_for()
    assert "The file is not a picture in a known format" in page.locator("#problem").inner_text()
    assert page.get_by_text("Choose a photo", exact=True).is_visible()
    assert page.locator("#problem").get_attribute("role") == "alert"


def test_where_nothing_stands_out_the_mask_can_be_drawn(site, page, give, finished):
    site.orchestrator.error = NoSubject("nothing in the photo stands out")
    give(page)
    page.get_by_role("button", name="Draw the mask").click()
    site.orchestrator.error = None
    page.keyboard.press(" ")
    page.get_by_role("button", name="Use this mask").click()
    finished(page)
    sent = Image.open(io.BytesIO(site.last()["mask"].mask)).convert("L")
    assert (sent.getpixel((60, 45)), sent.getpixel((5, 5))) == (255, 0)


def test_a_busy_server_can_be_asked_again(site, page, give, finished):
    site.orchestrator.error = Overloaded("all places are taken", retry_after_s=1)
    give(page)
    page.locator("#problem", has_text="All places are taken.").wait_for()
    site.orchestrator.error = None
    page.get_by_role("button", name="Try again").click()
    finished(page)
    assert page.locator("#problem").is_hidden()


def test_a_server_that_is_gone_is_said_to_be_gone(page, give):
    page.route("**/jobs/**", lambda route: route.abort())
    give(page)
    page.locator("#problem", has_text="The server cannot be reached.").wait_for()


def test_a_stream_that_breaks_is_taken_up_again(held, page, give, finished):
    broken = []

    def break_once(route):
        if broken:
            route.continue_()
            return
        broken.append(route)
        route.abort()

    page.route("**/events", break_once)
    give(page)
    page.locator("#progress-now", has_text="Building the mesh").wait_for()
    held.orchestrator.hold.set()
    finished(page)
    assert len(held.orchestrator.calls) == 1


def test_settings_are_sent_as_the_fields_of_the_api(site, page, give, finished):
    page.evaluate(_SHOW_SETTINGS)
    page.get_by_role("radio", name="Best").check()
    page.get_by_label("Finer depth").check()
    page.get_by_label("How depth joins the mask").select_option("union")
    page.get_by_label("Choose how near by itself").uncheck()
    page.get_by_label("Keep the nearest").fill("28")
    give(page)
    finished(page)
    asked = site.last()["mask"]
    assert (asked.preset, asked.strategy, asked.depth_percentile, asked.depth) == ("quality", "union", 28, True)
    assert asked.depth_quality == "high"


def test_a_change_of_settings_runs_the_same_photo_again(site, page, give, finished, made_anew):
    give(page)
    finished(page)
    made_anew(page, page.get_by_role("radio", name="Fast").check)
    first, second = site.orchestrator.calls
    assert (first["mask"].preset, second["mask"].preset) == ("balanced", "fast")
    assert first["photo"] == second["photo"]


def test_without_depth_the_settings_of_depth_are_away(site, page, give, finished):
    page.evaluate(_SHOW_SETTINGS)
    page.get_by_label("Use depth").uncheck()
    assert page.get_by_label("How depth joins the mask").is_hidden()
    assert page.get_by_label("Finer depth").is_hidden()
    give(page)
    finished(page)
    mask = site.last()["mask"]
    assert (mask.depth, "strategy" in mask.model_fields_set) == (False, False)


def test_the_cutout_alone_is_made_without_a_mesh(site, page, give, finished):
    page.evaluate(_SHOW_SETTINGS)
    page.get_by_role("radio", name="Cutout", exact=True).first.check()
    give(page)
    finished(page)
    assert site.last()["kind"] == "cutout"
    assert page.locator("#mesh").is_hidden()
    assert page.locator("#after-picture").is_visible()


def test_the_receipt_says_why_there_is_no_depth(site, page, give, finished):
    site.orchestrator.depth_lost = "the depth service did not answer"
    give(page)
    finished(page)
    words = page.locator("#receipt-words li").all_inner_texts()
    assert words == [site.orchestrator.verdict, "Made without depth: the depth service did not answer."]


def test_the_receipt_says_whose_alpha_was_used(site, page, give, finished):
    site.orchestrator.has_own_alpha = True
    give(page)
    finished(page)
    said = page.locator("#receipt-words li.plain", has_text="the photo was cut out already")
    assert "its own transparency was used" in said.inner_text()


def test_a_verdict_that_is_not_good_is_a_warning(site, page, give, finished):
    site.orchestrator.verdict_kind = mesher_pb2.MESH_VERDICT_FLAT
    give(page)
    finished(page)
    assert page.locator("#receipt-words li.warn").all_inner_texts() == [site.orchestrator.verdict]


def test_the_receipt_shows_the_time_of_each_stage_and_what_was_known(page, give, finished):
    give(page)
    finished(page)
    rows = [row.split("\t") for row in page.locator("#receipt-times tbody tr").all_inner_texts()]
    assert [(row[0].strip(), row[-1].strip()) for row in rows] == [
        ("Reading", "0.10 s"),
        ("Subject", "known already"),
        ("Depth", "0.20 s"),
        ("Cutout", "0.20 s"),
    ]


def test_everything_can_be_downloaded(page, give, finished):
    give(page)
    finished(page)
    starts = {}
    for button in ("Cutout PNG", "Mask PNG", "GLB", "OBJ", "PLY", "STL"):
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        starts[download.value.suggested_filename] = download.value.path().read_bytes()[:4]
    assert list(starts) == ["ball-cutout.png", "ball-mask.png", "ball.glb", "ball.obj", "ball.ply", "ball.stl"]
    assert starts["ball.glb"] == b"glTF"


def test_the_downloaded_mask_is_the_alpha_of_the_cutout(page, give, finished):
    give(page)
    finished(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Mask PNG").click()
    mask = Image.open(download.value.path()).convert("L")
    assert mask.size == (120, 90)
    assert (mask.getpixel((60, 45)), mask.getpixel((5, 5))) == (255, 0)


def test_the_receipt_can_be_kept(page, give, finished):
    give(page)
    finished(page)
    page.get_by_text("What ran").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Receipt as JSON").click()
    assert json.loads(download.value.path().read_text())["total_s"] == 1.25


def test_a_server_with_a_token_asks_for_it_once(open_site, visit, give, finished, made_anew):
    site = open_site(token="let-me-in")
    page = visit(site.url)
    give(page)
    page.get_by_label("This server wants a token").fill("let-me-in")
    page.keyboard.press("Enter")
    finished(page)
    made_anew(page, lambda: give(page))
    assert len(site.orchestrator.calls) == 2
