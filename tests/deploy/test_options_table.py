from __future__ import annotations

from deploy.options_table import TARGET, options_page


def test_the_committed_page_is_what_the_groups_make():
    assert TARGET.read_text(encoding="utf-8") == options_page(), "run `make docs`"


def test_a_row_has_names_sentence_range_unit_default_and_doors():
    row = "| `blur_size` | Kernel that smooths the outline. | an odd number of 3 to 7 | px | by preset | page (1) |"
    assert row in options_page()
