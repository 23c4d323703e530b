"""The same requests to the real `rembg s` 2.0.86 and to unflat, over the same small network.

Same: fields and their places, 422 bodies, a PNG of the photo's size in the mode that was asked for. Ours on purpose,
each with a row below: what crashes rembg (500) is refused with a reason; `bgc` that is no colour is 422, for it never
worked; other origins may not call unless --cors-origins says so; options of a POST count in the query as well.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from bench.stub_network import write_stub_network
from services.cli.local_services import LocalServices, LocalServicesOptions
from tests.waiting import is_listening, until

pytestmark = pytest.mark.e2e

PEERS = Path(__file__).resolve().parents[2] / ".venv-peers"
URL = "/api/remove"
SIZE = (120, 90)


def disc(mode: str = "RGB") -> Image.Image:
    """An orange disc before grey."""
    picture = Image.new("RGB", SIZE, (90, 95, 100))
    ImageDraw.Draw(picture).ellipse((30, 15, 90, 75), fill=(230, 120, 40))
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    return picture.convert(mode)


def coded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


@dataclass
class Both:
    """Two servers that speak the same contract."""

    rembg: httpx.Client
    ours: httpx.Client

    def send(self, method: str = "POST", **request: Any) -> tuple[httpx.Response, httpx.Response]:
        """Send a request to both; rembg is told its model, for it would fetch its default one."""
        given = dict(request)
        place = "params" if method == "GET" else "data"
        if "model" not in given.get(place, {}):
            given[place] = {**given.get(place, {}), "model": "u2netp"}
        return self.rembg.request(method, URL, **given), self.ours.request(method, URL, **request)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The real `rembg s` and a whole system of ours."""
    folder = tmp_path_factory.mktemp("side-by-side")
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).ellipse((30, 15, 90, 75), fill=255)
    write_stub_network(folder / "u2netp.onnx", np.asarray(mask, np.float32) / 255, 320)
    with contextlib.ExitStack() as running:
        theirs = running.enter_context(rembg_server(folder))
        environment = {
            "UNFLAT_SEGMENTATION_BACKEND": f"rembg:custom={folder / 'u2netp.onnx'}",
            "UNFLAT_GATEWAY_URL_FETCH": "true",
        }
        options = LocalServicesOptions(http_port=free_port(), environment=environment, without=("depth", "mesher"))
        local_services = running.enter_context(LocalServices(options))
        ours = f"http://127.0.0.1:{local_services.processes['gateway'].port}"
        # rembg closes a connection after a crash without saying so: each request to it gets one of its own.
        alone = httpx.Client(base_url=theirs, timeout=60, headers={"Connection": "close"})
        kept = httpx.Client(base_url=ours, timeout=60)
        yield Both(running.enter_context(alone), running.enter_context(kept))


@contextlib.contextmanager
def rembg_server(home: Path) -> Iterator[str]:
    port = free_port()
    command = [str(PEERS / "bin/rembg"), "s", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    environment = {"U2NET_HOME": str(home), "HOME": str(home), "PATH": os.environ["PATH"]}
    with (home / "rembg.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: is_listening(port) or server.poll() is not None)
            assert server.poll() is None, (home / "rembg.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def opened(answer: httpx.Response) -> Image.Image:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text[:300]
    picture = Image.open(io.BytesIO(answer.content))
    picture.load()
    return picture


TURNED = Image.Exif()
TURNED[0x0112] = 6
PHOTO = {"file": ("disc.png", coded(disc()), "image/png")}
SAME_PICTURES = {
    "only the file": {"files": PHOTO},
    "octet-stream, as Artivact sends it": {"files": {"file": ("a.JPG", coded(disc()), "application/octet-stream")}},
    "om": {"files": PHOTO, "data": {"om": "true"}},
    "om wins over a, dc and bgc": {
        "files": PHOTO, "data": {"om": "True", "a": "true", "dc": "true"}, "params": {"bgc": "1,2,3"},
    },
    "ppm": {"files": PHOTO, "data": {"ppm": "yes"}},
    "a with thresholds": {"files": PHOTO, "data": {"a": "1", "af": "240", "ab": "10", "ae": "5"}},
    "dc": {"files": PHOTO, "data": {"dc": "on"}},
    "bgc": {"files": PHOTO, "params": {"bgc": "0,0,255"}},
    "bgc with alpha": {"files": PHOTO, "params": {"bgc": "0,0,255,255"}},
    "bgc of one number": {"files": PHOTO, "params": {"bgc": "5"}},
    "bgc out of range": {"files": PHOTO, "params": {"bgc": "0,0,999"}},
    "extras that are no JSON": {"files": PHOTO, "params": {"extras": "not json"}},
    "extras that are a list": {"files": PHOTO, "params": {"extras": "[1]"}},
    "putalpha": {"files": PHOTO, "params": {"extras": '{"putalpha":true}'}},
    "two files": {"files": [("file", ("a.png", coded(Image.new("RGB", (7, 5))))), ("file", PHOTO["file"])]},
    "turned by EXIF": {"files": {"file": coded(disc(), "JPEG", exif=TURNED)}},
}  # fmt: skip
FORMATS = [
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"), ("PNG", "LA"),
    ("PNG", "I;16"), ("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"),
]  # fmt: skip
SAME_REFUSALS = {
    "no file": {},
    "another field": {"files": {"picture": b"x"}},
    "a raw body": {"content": coded(disc())},
    "a bad bool": {"files": PHOTO, "data": {"om": "perhaps"}},
    "af out of range": {"files": PHOTO, "data": {"af": "256"}},
    "ab out of range": {"files": PHOTO, "data": {"ab": "-1"}},
    "ae below nought": {"files": PHOTO, "data": {"ae": "-1"}},
    "ae that is no number": {"files": PHOTO, "data": {"ae": "many"}},
    "an unknown model": {"files": PHOTO, "data": {"model": "no-such-model"}},
}
CRASHES = {
    "a text field": ({"data": {"file": "x"}}, 422),
    "an empty file": ({"files": {"file": ("a.png", b"")}}, 400),
    "no picture": ({"files": {"file": ("a.png", b"hello" * 50)}}, 400),
    "half a picture": ({"files": {"file": ("a.png", PHOTO["file"][1][:200])}}, 400),
    "SVG": ({"files": {"file": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")}}, 400),
    "361 megapixels": ({"files": {"file": ("a.png", coded(Image.new("1", (19000, 19000))))}}, 413),
    "bgc that is no colour": ({"files": PHOTO, "params": {"bgc": "red"}}, 422),
    "a model whose name contains a known one": ({"files": PHOTO, "data": {"model": "xu2netpz"}}, 422),
    "alpha_matting in extras": ({"files": PHOTO, "params": {"extras": '{"alpha_matting":true}'}}, 200),
    "session in extras": ({"files": PHOTO, "params": {"extras": '{"session":1}'}}, 200),
}
INNER = ["http://127.0.0.1/", "http://2130706433/", "http://127.1/", "http://169.254.169.254/", "file:///etc/passwd"]


@pytest.mark.parametrize("request_", SAME_PICTURES.values(), ids=SAME_PICTURES)
def test_same_request_is_a_picture_of_the_same_kind(both, request_):
    theirs, ours = (opened(answer) for answer in both.send(**request_))
    assert (theirs.mode, theirs.size) == (ours.mode, ours.size)


@pytest.mark.parametrize(("form", "mode"), FORMATS)
def test_same_file_is_a_picture_of_the_same_size(both, form, mode):
    theirs, ours = (opened(answer) for answer in both.send(files={"file": coded(disc(mode), form)}))
    assert (theirs.mode, theirs.size) == (ours.mode, ours.size) == ("RGBA", SIZE)


@pytest.mark.parametrize("data", [{}, {"om": "true"}, {"ppm": "true"}, {"a": "true"}], ids=["plain", "om", "ppm", "a"])
def test_subject_is_the_same(both, data):
    pictures = [opened(answer) for answer in both.send(files=PHOTO, data=data)]
    theirs, ours = (np.asarray(p if p.mode == "L" else p.getchannel("A")) > 127 for p in pictures)
    assert (theirs & ours).sum() / (theirs | ours).sum() > 0.95


def test_ppm_leaves_two_values_of_alpha_in_both(both):
    for answer in both.send(files=PHOTO, data={"ppm": "true"}):
        assert set(np.unique(np.asarray(opened(answer).getchannel("A")))) == {0, 255}


def test_background_is_opaque_in_both(both):
    for answer in both.send(files=PHOTO, params={"bgc": "0,0,255"}):
        picture = opened(answer)
        assert (picture.getextrema()[3], picture.getpixel((2, 2))) == ((255, 255), (0, 0, 255, 255))


@pytest.mark.parametrize("request_", SAME_REFUSALS.values(), ids=SAME_REFUSALS)
def test_same_request_is_refused_in_the_same_words(both, request_):
    theirs, ours = both.send(**request_)
    assert theirs.status_code == ours.status_code == 422
    wanted, found = (answer.json()["detail"] for answer in (theirs, ours))
    assert {(e["type"], *e["loc"]) for e in found} == {(e["type"], *e["loc"]) for e in wanted}
    for one in found:
        like = next(each for each in wanted if each["loc"] == one["loc"])
        assert set(one) - {"ctx"} == set(like) - {"ctx"}
        assert one["msg"] == like["msg"] or one["loc"][-1] == "model"  # we name the models that run here


@pytest.mark.parametrize(("request_", "wanted"), CRASHES.values(), ids=CRASHES)
def test_what_crashes_rembg_is_answered(both, request_, wanted):
    theirs, ours = both.send(**request_)
    assert (theirs.status_code, ours.status_code) == (500, wanted)
    assert wanted == 200 or json.loads(ours.text)["detail"]


def test_get_without_url_is_the_same_422(both):
    theirs, ours = both.send("GET")
    assert theirs.status_code == ours.status_code == 422
    assert (
        [e["loc"] for e in theirs.json()["detail"]] == [e["loc"] for e in ours.json()["detail"]] == [["query", "url"]]
    )


@pytest.mark.parametrize("url", INNER)
def test_get_never_reaches_inside(both, url):
    theirs, ours = both.send("GET", params={"url": url})
    assert theirs.status_code == ours.status_code == 400
    assert all(isinstance(answer.json()["detail"], str) for answer in (theirs, ours))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD"])
def test_other_methods_are_405_in_both(both, method):
    assert [client.request(method, URL).status_code for client in (both.rembg, both.ours)] == [405, 405]


def test_trailing_slash_leads_to_the_route_in_both(both):
    for client in (both.rembg, both.ours):
        assert client.post(URL + "/", follow_redirects=False).status_code == 307


def test_any_page_may_call_rembg_and_none_ours_unless_it_is_named(both):
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    theirs, ours = (client.options(URL, headers=asked) for client in (both.rembg, both.ours))
    assert theirs.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ours.headers


def test_options_in_the_query_of_a_post_count_in_ours_alone(both):
    theirs, ours = both.send(files=PHOTO, params={"om": "true"})
    assert (opened(theirs).mode, opened(ours).mode) == ("RGBA", "L")


def test_colours_at_a_soft_edge_are_straight_in_ours(both):
    """rembg multiplies colours by alpha, which a PNG then multiplies again: dark fringes."""
    theirs, ours = (np.asarray(opened(answer), float) for answer in both.send(files=PHOTO))
    for picture, is_straight in ((theirs, False), (ours, True)):
        soft = (picture[..., 3] > 40) & (picture[..., 3] < 215)
        if soft.any():
            assert (picture[soft][:, 0].mean() > 180) == is_straight


def test_four_uploads_at_once_are_served_as_artivact_sends_them(both):
    part = {"file": ("view-001.JPG", coded(disc(), "JPEG"), "application/octet-stream")}
    url = str(both.ours.base_url).rstrip("/") + URL
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: httpx.post(url, files=part, timeout=60), range(4)))
    assert [opened(answer).size for answer in answers] == [SIZE] * 4
