"""The contact sheet of a set: one HTML file with everything in it, what needs a look first."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from services.cli.photo_sets.thumbnails import Thumbnail, cutout_webp, photo_jpeg

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { margin: 1.5rem auto; max-width: 90rem; padding: 0 1rem }
ol { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)) }
ol { list-style: none; padding: 0 }
li { border: 1px solid #8885; border-radius: .5rem; padding: .6rem }
li.failed { border-color: #d33 } li.doubtful { border-color: #e80 }
h2 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere }
p { margin: .3rem 0 0 }
.pictures { display: grid; gap: .4rem; grid-template-columns: 1fr 1fr }
img { width: 100% }
.cutout { background: repeating-conic-gradient(#bbb 0 25%, #eee 0 50%) 0 0 / 1.2rem 1.2rem }
"""


@dataclass(frozen=True)
class Card:
    """One photo on the sheet.

    Attributes:
        title: its name.
        state: failed, doubtful or fine; the sheet is in this order.
        remarks: sentences below the pictures.
        confidence: of the mask, 0 to 1; within a state the least confident comes first.
        thumbnail: photo and mask; None where there is no mask.
        link: of the cutout, relative to the sheet; "" where there is none.
    """

    title: str
    state: str
    remarks: Sequence[str]
    confidence: float
    thumbnail: Thumbnail | None
    link: str = ""


_ORDER = ("failed", "doubtful", "fine")


def contact_sheet(title: str, summary: str, cards: Sequence[Card]) -> str:
    """Return the sheet as HTML without anything from outside."""
    ordered = sorted(cards, key=lambda card: (_ORDER.index(card.state), card.confidence, card.title))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(summary)}</p>\n"
        f"<ol>\n{''.join(map(_card, ordered))}</ol>\n</html>\n"
    )


def _card(card: Card) -> str:
    name = escape(card.title)
    heading = f'<a href="{escape(card.link)}">{name}</a>' if card.link else name
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in card.remarks)
    return f'<li class="{card.state}"><h2>{heading}</h2>{_pictures(card, name)}{remarks}</li>\n'


def _pictures(card: Card, name: str) -> str:
    if card.thumbnail is None:
        return ""
    photo, cutout = (
        base64.b64encode(data).decode() for data in (photo_jpeg(card.thumbnail), cutout_webp(card.thumbnail))
    )
    return (
        f'<div class="pictures"><img alt="photo {name}" src="data:image/jpeg;base64,{photo}">'
        f'<img class="cutout" alt="cutout of {name}" src="data:image/webp;base64,{cutout}"></div>'
    )
