"""What every benchmark prints: a table for people, JSON beside it for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def show(title: str, rows: "Sequence[DataclassInstance]", file: Path | None) -> None:
    """Prints one row per dataclass instance, and writes them to a JSON file if one is named."""
    found: list[dict[str, Any]] = [asdict(row) for row in rows]
    table = Table(title=title)
    for name in found[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in found:
        table.add_row(*(_text(value) for value in row.values()))
    Console(width=180).print(table)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"title": title, "rows": found}, indent=1))


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
