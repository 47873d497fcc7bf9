"""Tables, for people as Markdown and for machines as CSV and JSON."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | float | int | None


def percent(share: float) -> str:
    """A share of the full GMACs, in percent: ``44%``."""
    return f"{100 * share:.3g}%"


@dataclass(frozen=True)
class Table:
    """A table of a report."""

    name: str
    """Of its files."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @staticmethod
    def of(
        name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]
    ) -> "Table":
        """A table; as many cells as columns in every row."""
        if any(len(row) != len(columns) for row in rows):
            raise ValueError(f"table {name!r}: {len(columns)} cells in each row expected")
        return Table(name, title, tuple(columns), tuple(tuple(row) for row in rows))

    def markdown(self) -> str:
        """With four significant digits; what was not measured is a dash."""
        lines = [
            "| " + " | ".join(self.columns) + " |",
            "|" + "---|" * len(self.columns),
            *("| " + " | ".join(shown(cell) for cell in row) + " |" for row in self.rows),
        ]
        return f"**{self.title}**\n\n" + "\n".join(lines)

    def csv(self) -> str:
        """With every digit; what was not measured is empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return stream.getvalue()

    def json(self) -> dict[str, Any]:
        """Rows as dictionaries."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows}


def shown(cell: Cell) -> str:
    """A cell of Markdown."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return str(cell).replace("|", "\\|")
