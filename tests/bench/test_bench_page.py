from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.ratios import draw_ratios
from bench.section import Section

SECTION = Section("Cutout", "One run.", ("work", "ms"), (("plain", "3"), ("matted", "40")), {"plain": 2.5}, ("Noted.",))


def test_a_section_is_read_as_it_was_written(tmp_path: Path) -> None:
    SECTION.write(tmp_path / "figures" / "cutout.json")
    assert Section.read(tmp_path / "figures" / "cutout.json") == SECTION
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["cutout.json"]


def test_a_section_shows_its_table_its_day_and_its_command() -> None:
    text = SECTION.markdown()
    assert "| work | ms |\n|---|---:|\n| plain | 3 |\n| matted | 40 |" in text
    assert SECTION.date in text and "`make bench`" in text and "Noted." in text


def test_bars_begin_at_one_and_point_to_the_side_that_is_ahead() -> None:
    drawing = ElementTree.fromstring(draw_ratios({"ahead": 4.0, "behind": 0.5, "equal <": 1.0}))
    bars = drawing.findall("{http://www.w3.org/2000/svg}rect")[1:]
    edges = [(float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])) for bar in bars]
    one = edges[0][0]
    assert edges[0][1] > one and edges[1][1] == pytest.approx(one, abs=0.2) and edges[1][0] < one
    assert edges[0][1] - one == pytest.approx(2 * (one - edges[1][0]), rel=0.01)  # a logarithmic axis


def test_a_ratio_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted numbers above zero"):
        draw_ratios({"broken": 0.0})
