"""rembg's table of requests and answers, replayed; what crashed there must be refused with a reason here."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from services.common.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InvalidImage,
    ModelMissing,
    NoSubject,
    Overloaded,
    StageUnavailable,
)

URL = "/api/remove"


def opened(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    picture.load()
    return picture


def error_at(response, place, name):
    assert response.status_code == 422, response.text
    found = [error for error in response.json()["detail"] if error["loc"] == [place, name]]
    assert found, response.text
    return found[0]


def test_good_upload_is_answered_with_a_straight_rgba_png(house, photo):
    picture = opened(house.http.post(URL, files={"file": ("a.jpg", photo)}))
    assert picture.mode == "RGBA"
    assert picture.getpixel((0, 0)) == (200, 100, 40, 100)


def test_default_is_the_fast_preset_without_depth(house, photo):
    house.http.post(URL, files={"file": photo})
    mask, cutout = house.last()["mask"], house.last()["cutout"]
    assert (mask.preset, mask.depth, cutout.format, cutout.matting) == ("fast", False, "png", None)


def test_artivacts_request_is_served_four_at_a_time(house, photo):
    part = {"file": ("view-001.JPG", photo, "application/octet-stream")}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: house.http.post(URL, files=part), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert all(answer.content.startswith(b"\x89PNG") for answer in answers)


def test_last_of_two_file_parts_is_used(house, photo):
    house.http.post(URL, files=[("file", ("a.png", b"first")), ("file", ("b.png", photo))])
    assert house.last()["photo"] == photo


@pytest.mark.parametrize("yes", ["true", "True", "1", "yes", "on"])
def test_om_answers_a_grey_mask(house, photo, yes):
    picture = opened(house.http.post(URL, files={"file": photo}, data={"om": yes}))
    assert picture.mode == "L"
    assert house.last()["cutout"].mask_only


def test_om_wins_over_matting_and_background(house, photo):
    answer = house.http.post(URL, files={"file": photo}, data={"om": "true", "a": "true"}, params={"bgc": "9,9,9"})
    assert opened(answer).mode == "L"
    assert house.last()["cutout"].matting is None


def test_ppm_leaves_alpha_of_0_or_255_only(house, photo):
    soft = Image.new("RGBA", (3, 1), (200, 100, 40, 127))
    soft.putpixel((1, 0), (200, 100, 40, 128))
    house.orchestrator.png = _png(soft)
    picture = opened(house.http.post(URL, files={"file": photo}, data={"ppm": "true"}))
    assert [picture.getpixel((x, 0))[3] for x in range(3)] == [0, 255, 0]


def test_ppm_hardens_the_mask_as_well(house, photo):
    picture = opened(house.http.post(URL, files={"file": photo}, data={"ppm": "true", "om": "true"}))
    assert (picture.mode, picture.getextrema()) == ("L", (0, 0))  # the fake's mask is 100 everywhere


def test_matting_thresholds_reach_the_cutout(house, photo):
    house.http.post(URL, files={"file": photo}, data={"a": "true", "af": "200", "ab": "20", "ae": "5"})
    cutout = house.last()["cutout"]
    found = (cutout.matting, cutout.foreground_threshold, cutout.background_threshold, cutout.erode_size)
    assert found == (True, 200, 20, 5)


def test_huge_erosion_is_held_to_what_makes_sense(house, photo):
    assert house.http.post(URL, files={"file": photo}, data={"a": "true", "ae": "3000"}).status_code == 200
    assert house.last()["cutout"].erode_size == 255


def test_vm_is_served_by_our_own_matting(house, photo):
    house.http.post(URL, files={"file": photo}, data={"vm": "true"})
    assert house.last()["cutout"].matting is True


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [({}, False), ({"dc": "true"}, True), ({"a": "true"}, True), ({"vm": "true", "dc": "true"}, True)],
)
def test_the_subjects_own_colour_is_estimated_with_matting_or_dc(house, photo, asked, wanted):
    house.http.post(URL, files={"file": photo}, data=asked)
    assert house.last()["cutout"].estimate_foreground is wanted


@pytest.mark.parametrize(
    ("bgc", "wanted"),
    [
        ("0,0,255", (78, 39, 172, 255)),
        ("0,0,255,255", (78, 39, 172, 255)),
        ("0,0,999", (78, 39, 172, 255)),
        ("5", (81, 42, 19, 255)),
    ],
)
def test_background_is_laid_under_straight_colours(house, photo, bgc, wanted):
    picture = opened(house.http.post(URL, files={"file": photo}, params={"bgc": bgc}))
    assert picture.mode == "RGBA"
    assert all(abs(a - b) <= 1 for a, b in zip(picture.getpixel((0, 0)), wanted, strict=True))


def test_translucent_background_stays_translucent(house, photo):
    house.orchestrator.png = _png(Image.new("RGBA", (2, 2), (200, 100, 40, 0)))
    picture = opened(house.http.post(URL, files={"file": photo}, params={"bgc": "1,2,3,50"}))
    assert picture.getpixel((0, 0)) == (1, 2, 3, 50)


def test_background_that_is_no_colour_is_refused(house, photo):
    answer = house.http.post(URL, files={"file": photo}, params={"bgc": "red"})
    assert error_at(answer, "query", "bgc")["input"] == "red"


@pytest.mark.parametrize("extras", ["not json", "[1]", '{"session":1}', '{"putalpha":true}', '{"sam_prompt":[]}'])
def test_extras_never_fail_a_request(house, photo, extras):
    opened(house.http.post(URL, files={"file": photo}, params={"extras": extras}))


def test_extras_can_ask_for_matting(house, photo):
    house.http.post(URL, files={"file": photo}, params={"extras": '{"alpha_matting":true}'})
    assert house.last()["cutout"].matting is True


@pytest.mark.parametrize("request_", [{}, {"files": {"picture": b"x"}}, {"content": b"raw"}, {"data": {"file": "x"}}])
def test_missing_file_is_rembgs_422(house, request_):
    error = error_at(house.http.post(URL, **request_), "body", "file")
    assert (error["type"], error["msg"], error["input"]) == ("missing", "Field required", None)
    assert not house.orchestrator.calls


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("model", "no-such-model", "string_pattern_mismatch"),
        ("model", "xu2netpz", "string_pattern_mismatch"),
        ("om", "perhaps", "bool_parsing"),
        ("af", "256", "less_than_equal"),
        ("ab", "-1", "greater_than_equal"),
        ("ae", "-1", "greater_than_equal"),
        ("ae", "many", "int_parsing"),
    ],
)
def test_bad_field_is_named_where_it_stood(house, photo, name, value, kind):
    form = error_at(house.http.post(URL, files={"file": photo}, data={name: value}), "body", name)
    query = error_at(house.http.post(URL, files={"file": photo}, params={name: value}), "query", name)
    assert form["type"] == query["type"] == kind
    assert form["input"] == query["input"] == value


def test_options_of_a_post_are_read_from_the_query_as_well(house, photo):
    house.http.post(URL, files={"file": photo}, params={"a": "true", "af": "230"})
    assert (house.last()["cutout"].matting, house.last()["cutout"].foreground_threshold) == (True, 230)


def test_form_goes_before_query_where_rembg_reads_the_form(house, photo):
    house.http.post(URL, files={"file": photo}, data={"om": "false"}, params={"om": "true"})
    assert not house.last()["cutout"].mask_only


def test_empty_values_are_the_defaults(house, photo):
    opened(house.http.post(URL, files={"file": photo}, data={"model": "", "om": "", "af": ""}))


@pytest.mark.parametrize("name", ["isnet-general-use", "auto"])
def test_model_that_runs_may_be_named(house, photo, name):
    opened(house.http.post(URL, files={"file": photo}, data={"model": name}))


def test_backend_that_runs_may_be_named_though_rembg_does_not_know_it(house, photo):
    house.orchestrator.segmentation_backend = "grabcut"
    opened(house.http.post(URL, files={"file": photo}, data={"model": "grabcut"}))


def test_model_is_not_looked_up_when_none_is_named(house, photo):
    house.orchestrator.status_error = StageUnavailable("gone")
    opened(house.http.post(URL, files={"file": photo}))


def test_model_that_we_know_is_asked_for_by_its_name(house, photo):
    opened(house.http.post(URL, files={"file": photo}, data={"model": "u2netp"}))
    assert house.last()["mask"].model == "u2netp"


def test_model_that_runs_is_not_asked_for_by_name(house, photo):
    house.http.post(URL, files={"file": photo}, data={"model": "isnet-general-use"})
    assert house.last()["mask"].model == ""


def test_model_whose_weights_are_not_there_is_503_with_the_command(house, photo):
    house.orchestrator.error = ModelMissing("get them with `unflat models pull u2net`", field="model")
    answer = house.http.post(URL, files={"file": photo}, data={"model": "u2net"})
    assert answer.status_code == 503
    assert "unflat models pull u2net" in answer.json()["detail"]


def test_model_of_rembg_that_cannot_run_is_503_and_says_what_does(house, photo):
    answer = house.http.post(URL, files={"file": photo}, data={"model": "bria-rmbg"})
    assert answer.status_code == 503
    assert "bria-rmbg" in answer.json()["detail"] and "rembg:isnet-general-use" in answer.json()["detail"]
    assert answer.headers["retry-after"]
    assert not house.orchestrator.calls


def no_subject(width, height):
    return NoSubject("nothing stands out", facts={"width": str(width), "height": str(height)})


def test_photo_without_subject_is_an_empty_picture_with_a_warning(house, photo):
    house.orchestrator.error = no_subject(6, 4)
    answer = house.http.post(URL, files={"file": photo})
    picture = opened(answer)
    assert (picture.mode, picture.size, picture.getextrema()[3]) == ("RGBA", (6, 4), (0, 0))
    assert "no subject" in answer.headers["x-unflat-warning"]


def test_mask_without_subject_is_black(house, photo):
    house.orchestrator.error = no_subject(6, 4)
    picture = opened(house.http.post(URL, files={"file": photo}, data={"om": "true"}))
    assert (picture.mode, picture.getextrema()) == ("L", (0, 0))


def test_empty_picture_has_the_size_that_the_orchestrator_states(house):
    house.orchestrator.error = no_subject(48, 64)
    assert opened(house.http.post(URL, files={"file": b"never decoded here"})).size == (48, 64)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidImage("not a picture", field="file"), 400),
        (ImageTooLarge("19000 x 19000", field="file"), 413),
        (Overloaded("busy", retry_after_s=2.2), 429),
        (StageUnavailable("segmentation is gone"), 503),
        (DeadlineExceeded("too slow"), 504),
    ],
)
def test_what_crashes_rembg_is_refused_with_a_sentence(house, photo, error, status):
    house.orchestrator.error = error
    answer = house.http.post(URL, files={"file": photo})
    assert answer.status_code == status
    assert answer.json() == {"detail": error.message}
    if status == 429:
        assert answer.headers["retry-after"] == "3"


def test_empty_upload_is_400(house):
    assert house.http.post(URL, files={"file": ("a.png", b"")}).status_code == 400


def test_defect_is_a_500_without_its_text(house, photo):
    house.orchestrator.error = RuntimeError("secret path /etc")
    answer = house.http.post(URL, files={"file": photo})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]


def test_get_without_url_is_422_whether_fetching_is_on_or_not(house, open_house):
    for each in (house, open_house(url_fetch=True)):
        assert error_at(each.http.get(URL), "query", "url")["type"] == "missing"


def fetching(photo, asked=None):
    async def fetch(url):
        if asked is not None:
            asked.append(url)
        return photo

    return fetch


def test_get_checks_the_model_as_well(open_house, photo):
    house = open_house(url_fetch=True, fetch=fetching(photo))
    asked = {"url": "http://example.org/a.png"}
    assert house.http.get(URL, params={**asked, "model": "sam"}).status_code == 503
    assert error_at(house.http.get(URL, params={**asked, "model": "zzz"}), "query", "model")["input"] == "zzz"


def test_get_by_url_is_403_unless_switched_on(house):
    assert house.http.get(URL, params={"url": "http://example.org/a.png"}).status_code == 403


def test_get_by_url_fetches_and_cuts(open_house, photo):
    asked = []
    house = open_house(url_fetch=True, fetch=fetching(photo, asked))
    picture = opened(house.http.get(URL, params={"url": "https://example.org/a.png", "om": "true"}))
    assert (picture.mode, asked, house.last()["photo"]) == ("L", ["https://example.org/a.png"], photo)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://2130706433/",
        "http://127.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://host.invalid/",
        "nonsense",
    ],
)
def test_get_by_url_never_reaches_inside(open_house, url):
    house = open_house(url_fetch=True)
    answer = house.http.get(URL, params={"url": url})
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)
    assert not house.orchestrator.calls


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD"])
def test_other_methods_are_405(house, method):
    assert house.http.request(method, URL).status_code == 405


def test_trailing_slash_leads_to_the_route(house):
    answer = house.http.post(URL + "/", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].endswith(URL)


def _png(picture):
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
