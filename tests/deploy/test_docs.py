"""What the documentation and the manifests call a setting is one."""

import re

import pytest

from deploy.checks.manifests import ROOT
from services.common.environment import unknown_variables

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("README.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_variable_that_is_named_sets_something(page):
    named = re.findall(r"\bUNFLAT_[A-Z0-9_]+[A-Z0-9]\b", page.read_text(encoding="utf-8"))
    assert list(unknown_variables(set(named))) == []
