"""What the commands share: progress bars, errors as one line, results as text or JSON."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from model_store.published import ModelError


@contextmanager
def progress(shown: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, called with what is done, how much of it, and of how much.

    A new description replaces the bar before it. Only one of several processes should show one.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True, quiet=not shown)
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        current: dict[str, TaskID] = {}

        def show(what: str, done: int, count: int) -> None:
            if what not in current:
                for previous in current.values():
                    bars.remove_task(previous)
                current.clear()
                current[what] = bars.add_task(what)
            bars.update(current[what], completed=done, total=count)

        yield show


@contextmanager
def errors() -> Iterator[None]:
    """Prints what the user can put right as one line, and ends the command with status 1."""
    try:
        yield
    except (ValueError, ModelError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from None


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come, which does not end the process within this context."""
    asked: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, previous)


def show_result(result: object, as_json: bool, text: str) -> None:
    """Prints a result on standard output."""
    typer.echo(json.dumps(result, indent=1) if as_json else text)
