"""Draws servers side by side: ``python -m benchmarks.serving.plot side_by_side.json FILE.svg``.

Reads what ``benchmarks.serving.side_by_side --json`` wrote; each server in its best configuration.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.serving.rounds import ENCODED, read
from benchmarks.serving.servers import SLIMDIAL
from benchmarks.serving.summary import Ratio, Row, best_rows

_PANELS: tuple[tuple[str, Callable[[Row], Ratio | None]], ...] = (
    ("predictions a second", lambda r: r.predict),
    ("p99 at a fixed rate", lambda r: r.p99_steady),
    ("no-op requests a second", lambda r: r.noop),
    ("memory, idle", lambda r: Ratio(r.memory, r.memory, r.memory) if r.memory else None),
)


def main(
    source: Annotated[Path, typer.Argument(help="JSON of the rounds.")],
    target: Annotated[Path, typer.Argument(help="SVG to write.")],
) -> None:
    """Draw how far slimdial is ahead, or behind."""
    turns = read(source)
    models = sorted({t.model for t in turns})
    mpl.rcParams["svg.hashsalt"] = "slimdial"  # the same numbers give the same file
    figure = Figure(figsize=(12, 2.6 * len(models)), layout="constrained")
    figure.suptitle(
        "slimdial against each server: right of the line slimdial is ahead", fontsize=10
    )
    grid = figure.subplots(len(models), len(_PANELS), squeeze=False)
    for line, model in zip(grid, models, strict=True):
        rows = [
            r
            for r in best_rows([t for t in turns if t.model == model])
            if r.server not in (SLIMDIAL.name, ENCODED)
        ]
        for axes, (title, of) in zip(line, _PANELS, strict=True):
            found = [(r.server, ratio) for r in rows if (ratio := of(r)) is not None]
            _draw(axes, f"{model}: {title}", found)
    figure.savefig(target, metadata={"Date": None})


def _draw(axes: Axes, title: str, found: list[tuple[str, Ratio]]) -> None:
    for height, (_, ratio) in enumerate(reversed(found)):
        colour = "#1d4ed8" if ratio.median >= 1 else "#b45309"
        axes.plot([ratio.least, ratio.most], [height, height], color=colour, linewidth=2)
        axes.plot(ratio.median, height, "o", color=colour, markersize=6)
    axes.axvline(1.0, color="#0f172a", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(found)), [name for name, _ in reversed(found)], fontsize=8)
    axes.set_ylim(-0.5, len(found) - 0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_title(title, fontsize=9)
    axes.grid(axis="x", alpha=0.3)


if __name__ == "__main__":
    typer.run(main)
