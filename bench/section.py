"""One part of the benchmark page: what was compared, how, and the figures, with the day and the machine."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.timing import describe_machine


@dataclass(frozen=True)
class Section:
    """One table of the page.

    Attributes:
        title: the heading.
        method: how it was measured, in a sentence or two.
        columns: heads of the table.
        rows: cells as they are printed; the first column names what was measured.
        ratios: what is drawn: how many times ours is faster (or larger) than what it stands beside.
        notes: sentences below the table.
        date, machine, command: of this run.
    """

    title: str
    method: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ratios: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: str = field(default_factory=describe_machine)
    command: str = "make bench"

    def write(self, path: Path) -> None:
        """Write the section as JSON, in one piece."""
        aside = path.with_name(path.name + ".part")
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(path)

    @staticmethod
    def read(path: Path) -> Section:
        """Return a section that was written before."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored["columns"] = tuple(stored["columns"])
        stored["rows"] = tuple(tuple(row) for row in stored["rows"])
        stored["notes"] = tuple(stored["notes"])
        return Section(**stored)

    def markdown(self) -> str:
        """Return the section as it stands on the page."""
        lines = [f"## {self.title}", "", self.method, "", f"| {' | '.join(self.columns)} |"]
        lines.append("|---" + "|---:" * (len(self.columns) - 1) + "|")
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        lines.append("")
        for note in self.notes:
            lines += [note, ""]
        lines += [f"<sub>{self.date} · {self.machine} · `{self.command}`</sub>", ""]
        return "\n".join(lines)
