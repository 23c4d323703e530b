import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.gateway.routes.page_routes import page_files, page_router

PAGE = Path(__file__).resolve().parents[3] / "services/gateway/page"


@pytest.fixture
def http():
    app = FastAPI()
    app.include_router(page_router())
    return TestClient(app)


def test_the_page_stands_at_the_root(http):
    answer = http.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_policy_lets_nothing_in_from_elsewhere_and_no_inline_script(http):
    policy = dict(part.split(" ", 1) for part in http.get("/").headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert not re.search(r"https?:|unsafe", " ".join(policy.values()))


@pytest.mark.parametrize("path", sorted(p.relative_to(PAGE) for p in PAGE.rglob("*.js") if "vendor" not in p.parts))
def test_modules_import_only_what_is_served(http, path):
    imports = re.findall(r'(?:from|import\()\s*"(\./[^"]+)"', (PAGE / path).read_text(encoding="utf-8"))
    served = set(page_files()) | {"/page/vendor/three.js"}  # absent before `make web`
    assert {f"/page/{name.removeprefix('./')}" for name in imports} <= served


def test_the_markup_has_no_inline_style_script_or_handler():
    markup = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", markup) == []


def test_everything_the_markup_names_is_served(http):
    named = {"/" + path for path in re.findall(r'(?:src|href)="(page/[^"]+)"', http.get("/").text)}
    assert named
    assert {path: http.get(path).status_code for path in named} == dict.fromkeys(named, 200)


def test_a_file_that_has_not_changed_is_not_sent_again(http):
    first = http.get("/page/app.js")
    again = http.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_scripts_come_compressed_where_that_is_understood(http):
    plain = http.get("/page/style.css", headers={"Accept-Encoding": "identity"})
    packed = http.get("/page/style.css", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


def test_no_path_leads_out_of_the_page(http):
    for path in ("/page/../page_routes.py", "/page/%2e%2e/page_routes.py", "/page/..%2fauth.py", "/page/"):
        assert http.get(path).status_code == 404


def test_photos_to_try_are_small():
    samples = [file for path, file in page_files().items() if path.startswith("/page/samples/")]
    assert len(samples) == 3
    assert max(len(file.read_bytes()) for file in samples) < 80_000


def test_the_page_works_below_any_path_of_a_proxy():
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    scripts = "\n".join(file.read_text(encoding="utf-8") for file in PAGE.glob("*.js"))
    assert re.findall(r"""(?:src|href)="/[^"]*""", index) == []
    assert re.findall(r"""[("'`]/(?:jobs|page|docs|receipts)\b[^"'`]*""", scripts) == []
