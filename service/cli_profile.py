"""``slimdial profile``: measure, fit, keep, and say how good it is."""

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from model_store.latency import LatencyProfile
from model_store.published import PublishedModel
from service.cli_budget import device_of
from service.profiles import Profiles, place_of
from service.profiling import Plan, profile
from service.settings import Settings


def bar() -> Progress:
    """A progress bar on stderr, so that stdout holds the answer alone."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def run(model: PublishedModel, settings: Settings, plan: Plan, as_json: bool) -> None:
    """Profiles a model as a service with these settings would run it.

    Raises:
        typer.Exit: the device does not work.
        OSError: the data folder cannot be written.
    """
    device = device_of(settings)
    place = place_of(device, settings.gpu_precision)
    with bar() as progress:
        task = progress.add_task("making networks", total=plan.steps)
        found = profile(
            model,
            device,
            place,
            plan,
            lambda what: progress.update(task, advance=1, description=what),
        )
    path = Profiles(settings.data_dir, place).write(model, found)
    _print(found, path, as_json)


def _print(found: LatencyProfile, path: Path, as_json: bool) -> None:
    if as_json:
        answer = {**found.model_dump(mode="json"), "digest": found.digest, "file": str(path)}
        print(json.dumps(answer, indent=2))
        return
    console, place, held = Console(), found.place, found.held_out
    console.print(
        f"{found.model} {found.version} on {place.machine}, {place.provider}, "
        f"{place.threads} thread(s): {found.fastest_ms:.3g} to {found.slowest_ms:.3g} ms",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{held.within_10_percent:.0%} of {held.sub_networks} held-out sub-networks predicted "
        f"within 10%; error {held.median:.1%} in the middle, {held.p90:.1%} for nine of ten, "
        f"{held.worst:.1%} at worst",
        highlight=False,
        soft_wrap=True,
    )
    rates = Table("time of", "per unit")
    for name, rate in found.rates.items():
        rates.add_row(name, f"{1e6 * rate:.4g} ns")
    console.print(rates)
    console.print(f"channels count in blocks of {found.block}; wrote {path}", soft_wrap=True)
