"""What a command does about failures that its user can cause."""

import contextlib
from collections.abc import Iterator

import typer


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """They are told in a line on stderr, with exit code 1."""
    from model_store.published import ModelError
    from model_store.subnet.search import InfeasibleBudget
    from service.security.keys import KeysError

    try:
        yield
    except (ModelError, InfeasibleBudget, KeysError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
