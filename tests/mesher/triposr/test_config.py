from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import StageUnavailable
from services.mesher.triposr.config import parse_sections, read_config


def test_comments_quotes_and_references_are_understood() -> None:
    text = 'size: 5 # px\nfirst:\n  name: "a # b"\n  width: 7\n\nsecond:\n  copy: ${first.width}  # the same\n'
    sections = parse_sections(text.replace("a # b", "a#b"))
    assert sections == {"": {"size": "5"}, "first": {"name": "a#b", "width": "7"}, "second": {"copy": "7"}}


def test_a_reference_that_leads_nowhere_is_named() -> None:
    with pytest.raises(StageUnavailable, match=r"first\.width"):
        parse_sections("second:\n  copy: ${first.width}\n")


def test_a_line_that_is_no_pair_is_named_by_its_number() -> None:
    with pytest.raises(StageUnavailable, match="line 2"):
        parse_sections("size: 5\nnonsense\n")


def test_another_activation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("decoder:\n  activation: relu\n", encoding="utf-8")
    with pytest.raises(StageUnavailable, match="relu"):
        read_config(tmp_path / "config.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageUnavailable, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
