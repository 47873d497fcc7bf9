"""Draws the calibration curves: ``python -m benchmarks.plot calibration.json FILE.svg``.

Reads what ``benchmarks.calibration --json`` wrote, for one or more recipes.
"""

import json
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import typer
from matplotlib.figure import Figure


def main(
    files: Annotated[list[Path], typer.Argument(help="JSON files, and last the SVG to write.")],
) -> None:
    """Draw quality against the number of calibration images."""
    *sources, target = files
    results = [json.loads(source.read_text()) for source in sources]
    panels = [(r["title"], r["rows"], m) for r in results for m in r["rows"][0]["quality"]]
    mpl.rcParams["svg.hashsalt"] = "slimdial"  # the same numbers give the same file
    figure = Figure(figsize=(3.6 * len(panels), 3.2), layout="constrained")
    for axes, (title, rows, metric) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for kind, style in (("real", "o-"), ("synthetic", "s--")):
            points = [(r["images"], r["quality"][metric]) for r in rows if r["kind"] == kind]
            axes.plot(*zip(*points, strict=True), style, label=kind)
        axes.set_xscale("log", base=2)
        axes.set_title(f"{title}: {metric}", fontsize=9)
        axes.set_xlabel("calibration images", fontsize=8)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    typer.run(main)
