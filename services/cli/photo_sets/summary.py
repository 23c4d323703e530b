"""What a set came to: a table of what needs a look, the contact sheet, and the exit code."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.photo_files import write_all
from services.cli.photo_sets.contact_sheet import Card, contact_sheet
from services.cli.photo_sets.outcome import PhotoOutcome

SHEET = "contact-sheet.html"
_MOST_ROWS = 30  # of the table; the sheet has them all
_FAILED_BASE, _FAILED_MOST = 100, 25  # exit codes above 125 mean other things to shells


def exit_code(outcomes: Sequence[PhotoOutcome]) -> int:
    """Return 0 where every photo has its results, else 100 and how many have none, at most 125."""
    failed = sum(outcome.problem is not None for outcome in outcomes)
    return _FAILED_BASE + min(failed, _FAILED_MOST) if failed else 0


def print_summary(console: Console, outcomes: Sequence[PhotoOutcome]) -> None:
    """Print what needs a look, then how many photos went which way, then what was said of many."""
    rows = [(outcome, said) for outcome in outcomes for said in remarks(outcome)]
    if rows:
        table = Table(header_style="bold")
        for column in ("photo", "", "why"):
            table.add_column(column, overflow="fold")
        for outcome, said in rows[:_MOST_ROWS]:
            table.add_row(escape(outcome.item.place.as_posix()), _word(outcome), escape(said))
        console.print(table)
        if len(rows) > _MOST_ROWS:
            console.print(f"… and {len(rows) - _MOST_ROWS} more in {SHEET}")
    console.print(count(outcomes), highlight=False)
    said_of = Counter(warning for outcome in outcomes if outcome.receipt for warning in outcome.receipt.warnings)
    for warning, times in said_of.most_common(8):
        console.print(f"  [yellow]![/yellow] {times} × {escape(warning)}", highlight=False, soft_wrap=True)


def write_sheet(out: Path, title: str, outcomes: Sequence[PhotoOutcome]) -> Path:
    """Write the contact sheet into the folder of the results and return its path.

    Raises:
        InvalidOption: it cannot be written.
    """
    html = contact_sheet(title, count(outcomes), [_card(outcome) for outcome in outcomes])
    return write_all({out / SHEET: html.encode("utf-8", "xmlcharrefreplace")})[0]


def count(outcomes: Sequence[PhotoOutcome]) -> str:
    """Return in one sentence how many photos went which way."""
    made = sum(outcome.entry is not None and outcome.receipt is not None for outcome in outcomes)
    there = sum(outcome.entry is not None and outcome.receipt is None for outcome in outcomes)
    failed = sum(outcome.problem is not None for outcome in outcomes)
    doubtful = sum(outcome.doubt is not None and outcome.entry is not None for outcome in outcomes)
    again = sum(outcome.entry is not None and outcome.entry.retry == "kept" for outcome in outcomes)
    parts = [f"{len(outcomes)} photos: {made} made", f"{there} there already", f"{failed} of {len(outcomes)} failed"]
    if again:
        parts.append(f"{again} with the set's colours")
    if doubtful:
        parts.append(f"{doubtful} to look at")
    return ", ".join(parts)


def remarks(outcome: PhotoOutcome) -> list[str]:
    """Return why a photo needs a look; nothing where it needs none."""
    said = [outcome.problem.message] if outcome.problem is not None else []
    if outcome.doubt is not None:
        said += outcome.doubt.reasons
    elif outcome.entry is not None and outcome.entry.retry == "kept":
        said.append("stood out from its neighbours; made again with the set's colours, which brought it in line")
    if outcome.doubt is not None and outcome.entry is not None and outcome.entry.retry == "dropped":
        said.append("made again with the set's colours, which was no better: the first attempt stands")
    return said


def _word(outcome: PhotoOutcome) -> str:
    if outcome.problem is not None:
        return "[red]failed[/red]"
    return "[yellow]doubtful[/yellow]" if outcome.doubt is not None else "[green]made again[/green]"


def _card(outcome: PhotoOutcome) -> Card:
    entry = outcome.entry
    if entry is None:
        return Card(outcome.item.place.as_posix(), "failed", remarks(outcome), 0.0, None)
    state = "fine" if outcome.doubt is None else "doubtful"
    said = [*remarks(outcome), *entry.warnings, f"confidence {entry.confidence:.2f}"]
    link = quote(os.fsencode(next(iter(entry.files), "")))
    return Card(outcome.item.place.as_posix(), state, said, entry.confidence, entry.thumbnail, link)
