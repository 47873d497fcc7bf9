"""What the command line prints: tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model_store.published import PublishedModel
from model_store.subnetwork import Choice, SubnetMetadata, SubnetRequest, Widths
from service.costs import spent_by
from service.describe import summary


def print_models(models: Sequence[PublishedModel], as_json: bool) -> None:
    """The published models; the first is the default."""
    answers = [summary(m, default=i == 0) for i, m in enumerate(models)]
    if as_json:
        _print_json({"models": [a.model_dump(mode="json") for a in answers]})
        return
    table = Table("model", "version", "method", "GMACs", "tasks")
    for answer in answers:
        low, high = answer.budget["min_gmacs"], answer.budget["max_gmacs"]
        tasks = ", ".join(answer.tasks)
        table.add_row(answer.name, answer.version, answer.method, f"{low:.4g} – {high:.4g}", tasks)
    Console().print(table)


def print_choice(
    model: PublishedModel,
    request: SubnetRequest,
    choice: Choice,
    timings_ms: Mapping[str, float],
    as_json: bool,
    output: Path | None = None,
    built: SubnetMetadata | None = None,
) -> None:
    """What a search chose and, where it was cut out, the file."""
    kept = [g for g in model.space.groups if g.task is None or g.task in choice.tasks]
    if as_json:
        answer: dict[str, Any] = {
            "subnet_id": choice.subnet_id,
            "model": model.manifest.name,
            "version": model.manifest.version,
            "tasks": list(choice.tasks),
            "gmacs": choice.macs / 1e9,
            **asdict(spent_by(model, request, choice)),
            "widths": Widths.of(model, choice.architecture, choice.tasks).model_dump(),
            "channels": {g.name: choice.architecture[g.name] for g in kept},
            "predicted": choice.predicted,
            "timings_ms": dict(timings_ms),
        }
        if output is not None and built is not None:
            answer |= {
                "file": str(output),
                "size_bytes": built.size_bytes,
                "parameters": built.parameters,
            }
        _print_json(answer)
        return
    console = Console()
    console.print(
        f"{model.manifest.name} {model.manifest.version}: sub-network {choice.subnet_id}, "
        f"{choice.macs / 1e9:.4g} GMACs, budget {request.budget.value:.4g} {request.budget.kind}",
        highlight=False,
        soft_wrap=True,
    )
    widths = Table("group", "channels", "of", "width")
    for group in kept:
        channels = choice.architecture[group.name]
        whole = choice.architecture[group.within] if group.within else group.full
        widths.add_row(group.name, str(channels), str(whole), f"{channels / whole:.2f}")
    console.print(widths)
    quality = Table("task", "preference", "predicted", "metric")
    for task in choice.tasks:
        predicted = choice.predicted[task]
        preference = f"{request.preference[task]:g}"
        quality.add_row(task, preference, f"{predicted['value']:.4g}", str(predicted["metric"]))
    console.print(quality)
    console.print(
        ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in timings_ms.items()), highlight=False
    )
    if output is not None and built is not None:
        console.print(
            f"wrote {output}: {built.size_bytes:,} bytes, {built.parameters:,} parameters",
            highlight=False,
        )


def _print_json(answer: Mapping[str, Any]) -> None:
    # Not through rich, which would wrap long lines.
    print(json.dumps(answer, indent=2))
