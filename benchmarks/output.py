"""What every benchmark prints: a table for people, JSON beside it for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def show(title: str, rows: "Sequence[DataclassInstance]", file: Path | None) -> None:
    """Prints one row per dataclass instance, and writes them to a JSON file if one is named."""
    names = [f.name for f in fields(rows[0])]
    table = Table(title=title)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(_text(getattr(row, name)) for name in names))
    Console(width=180).print(table)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        found = [asdict(row) for row in rows]
        file.write_text(json.dumps({"title": title, "rows": found}, indent=1))


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
