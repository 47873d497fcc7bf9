"""What all runs together say: targets, and numbers with their spread over the seeds."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.evaluation.results import RunResults
from training.evaluation.tables import Table, shown
from training.evaluation.targets import Number, Target, headline, targets


def overview(runs: Sequence[RunResults]) -> dict[str, Any]:
    """Targets and headline numbers of some runs of one recipe, as JSON can say them."""
    return {
        "runs": [r.name for r in runs],
        "targets": [_target(t) for t in targets(runs)],
        "numbers": {name: _number(n) for name, n in headline(runs).items()},
    }


def write_overview(runs: Sequence[RunResults], folder: Path) -> Path:
    """Writes ``report.md``, ``targets.csv``, ``numbers.csv`` and ``overview.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    met, numbers = target_table(targets(runs)), number_table(headline(runs))
    for table in (met, numbers):
        (folder / f"{table.name}.csv").write_text(table.csv())
    (folder / "overview.json").write_text(json.dumps(overview(runs), indent=1))
    seeds = f"{len(runs)} runs" if len(runs) > 1 else "one run, so without a spread"
    measured = runs[0].kind == "run"
    text = [
        f"# Evaluation of {', '.join(r.name for r in runs)}",
        "Reports: " + ", ".join(f"[{r.name}]({r.name}/report.md)" for r in runs) + ".",
        f"Numbers are means over {seeds}; the spread is the standard deviation between runs."
        if measured
        else "Of a published model nothing is measured: what needs a checkpoint is open.",
        met.markdown(),
        numbers.markdown(),
    ]
    path = folder / "report.md"
    path.write_text("\n\n".join(text) + "\n")
    return path


def target_table(found: Sequence[Target]) -> Table:
    """Each target, what was found, and whether that reaches it."""
    rows = [(t.what, t.wanted, t.number.mean, t.number.spread, t.verdict, t.note) for t in found]
    columns = ["target", "wanted", "found", "spread", "verdict", "note"]
    return Table.of("targets", "Targets", columns, rows)


def number_table(numbers: dict[str, Number]) -> Table:
    """Each number with its spread and its runs."""
    rows = [
        (name, n.mean, n.spread, ", ".join(shown(v) for v in n.values))
        for name, n in numbers.items()
    ]
    return Table.of("numbers", "Numbers", ["", "mean", "spread", "by run"], rows)


def _number(number: Number) -> dict[str, Any]:
    return {"mean": number.mean, "spread": number.spread, "values": list(number.values)}


def _target(target: Target) -> dict[str, Any]:
    return asdict(target) | {"number": _number(target.number)}
