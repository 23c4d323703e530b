"""The interactive description: complete, and with every byte from here."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright import sync_api


def test_page_names_no_other_host(house):
    page = house.http.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!doctype", "")
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
        assert house.http.get("/" + name).status_code == 200


def test_policy_lets_scripts_come_from_here_alone(house):
    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js"):
        policy = house.http.get(path).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "http" not in policy and "unsafe-eval" not in policy


@pytest.mark.parametrize("path", ["/redoc", "/api"])
def test_other_known_places_lead_here(house, path):
    answer = house.http.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


def test_every_route_has_a_description_and_its_refusals(house):
    document = house.http.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), (method, path)
            assert len(operation["responses"]) > 1 or path in ("/healthz", "/metrics"), (method, path)


def test_jobs_and_problems_have_examples(house):
    paths = house.http.get("/openapi.json").json()["paths"]
    started = paths["/jobs/mesh"]["post"]["responses"]
    assert started["202"]["content"]["application/json"]["example"]["state"] == "queued"
    assert paths["/jobs/{job_id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]["stage"]
    assert started["422"]["content"]["application/problem+json"]["example"]["code"] == "INVALID_OPTION"
    assert "curl" in paths["/api/remove"]["post"]["description"]


@pytest.mark.needs_browser
def test_browser_draws_it_without_an_error_or_a_foreign_request(house):
    complaints, foreign = [], []

    def answer(route):
        _, _, rest = route.request.url.partition("//gateway.test")
        if not rest:
            foreign.append(route.request.url)
            route.abort()
            return
        found = house.http.get(rest)
        route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.route("**/*", answer)
        page.goto("http://gateway.test/docs")
        page.locator(".opblock-summary").first.click(timeout=20_000)
        page.locator(".opblock-description").first.wait_for(timeout=20_000)
        browser.close()
    assert (complaints, foreign) == ([], [])
