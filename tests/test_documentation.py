"""What the documentation points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:services|evaluation|bench|deploy|tests|protos)/[\w./-]+)`")


def _pages() -> list[Path]:
    found = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
    return found + sorted(
        page for room in ("deploy", "bench", "examples", "evaluation") for page in (ROOT / room).rglob("*.md")
    )


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in LINK.findall(text):
        address, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / address).resolve() if address else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)
    broken += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert broken == []
