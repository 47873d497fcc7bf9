"""``slimdial warm``: a grid of dials, a progress bar, and what came of it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing

import typer
from pydantic import ValidationError
from rich.console import Console

from service.cli_budget import parse_budget
from service.cli_profile import bar
from service.schemas import Budget
from service.warming import (
    Service,
    Warmed,
    WarmingError,
    even_budgets,
    grid,
    range_of,
    tasks_and_range,
    usual_preferences,
    warm,
)


def run(
    url: str,
    model: str | None,
    budgets: Sequence[str],
    preferences: Sequence[Mapping[str, float]],
    tasks: Sequence[str] | None,
    steps: int,
    as_json: bool,
) -> None:
    """Warms a running service.

    Raises:
        typer.BadParameter: a budget is malformed, or none that the service takes.
        typer.Exit: the service does not answer, or refuses a dial.
    """
    asked = [_budget(text) for text in budgets]
    try:
        with closing(Service(url)) as service:
            name, known, least, most = tasks_and_range(service, model)
            if tasks and not asked:
                least, most = range_of(service, name, tasks)
            dials = grid(
                name,
                asked or even_budgets(least, most, steps),
                preferences or usual_preferences(tasks or known),
                tasks,
            )
            with bar() as progress:
                task = progress.add_task(f"warming {name}", total=len(dials))
                found = warm(service, dials, lambda _: progress.advance(task))
    except WarmingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    _print(name, found, as_json)


def _budget(text: str) -> dict[str, float]:
    try:
        return Budget.of(parse_budget(text)).model_dump(exclude_none=True)
    except ValidationError as error:
        (found,) = error.errors()
        raise typer.BadParameter(f"--budget: {found['msg']}, found {text!r}") from error


def _print(model: str, found: Sequence[Warmed], as_json: bool) -> None:
    count = Counter(w.cache for w in found)
    distinct = len({w.subnet_id for w in found} - {None})
    if as_json:
        summary = {
            "model": model,
            "dials": len(found),
            "hits": count["hit"],
            "built": count["miss"],
            "infeasible": count["infeasible"],
            "subnets": distinct,
            "seconds": sum(w.milliseconds for w in found) / 1e3,
            "results": [w.__dict__ for w in found],
        }
        print(json.dumps(summary, indent=2))
        return
    Console().print(
        f"{model}: {len(found)} dials, {distinct} sub-networks; {count['miss']} built, "
        f"{count['hit']} were there, {count['infeasible']} infeasible",
        highlight=False,
        soft_wrap=True,
    )
