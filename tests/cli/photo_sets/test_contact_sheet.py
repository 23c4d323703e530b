"""The contact sheet: whole in itself, worst first, whatever a photo is called."""

from __future__ import annotations

import re

import numpy as np

from services.cli.photo_sets.contact_sheet import Card, contact_sheet
from services.cli.photo_sets.thumbnails import Thumbnail

THUMBNAIL = Thumbnail(np.full((12, 16, 3), 90, np.uint8), np.full((12, 16), 255, np.uint8))


def test_failed_come_first_then_doubtful_then_the_least_confident():
    cards = [
        Card("sure.jpg", "fine", [], 0.99, THUMBNAIL),
        Card("unsure.jpg", "fine", [], 0.6, THUMBNAIL),
        Card("odd.jpg", "doubtful", ["too large"], 0.95, THUMBNAIL),
        Card("broken.jpg", "failed", ["not a picture"], 0.0, None),
    ]
    sheet = contact_sheet("set", "4 photos", cards)
    assert re.findall(r"<h2>(?:<a[^>]*>)?(\w+)", sheet) == ["broken", "odd", "unsure", "sure"]
    assert "<p>too large</p>" in sheet


def test_nothing_is_fetched_from_outside():
    sheet = contact_sheet("set", "1 photo", [Card("a.jpg", "fine", [], 0.9, THUMBNAIL, "day1/a.png")])
    sources = re.findall(r'(?:src|href)="([^"]*)"', sheet)
    assert sources[0] == "day1/a.png"
    assert [source.split(";")[0] for source in sources[1:]] == ["data:image/jpeg", "data:image/webp"]
    assert "<script" not in sheet


def test_names_and_sentences_are_text_and_never_markup():
    evil = '<script>"&.jpg'
    sheet = contact_sheet(evil, evil, [Card(evil, "fine", [evil], 0.9, THUMBNAIL, evil)])
    assert "<script" not in sheet
    assert '="<' not in sheet
