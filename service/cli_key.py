"""``slimdial key``: who is let in."""

import datetime
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli_failures import failures

app = typer.Typer(no_args_is_help=True, help="API keys: make, list and revoke them.")

KeyFile = Annotated[
    Path,
    typer.Option(
        "--file",
        envvar="SLIMDIAL_API_KEYS_FILE",
        help="The file of keys, which a running service follows.",
    ),
]
Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, '.', '_' and '-'.")]


@app.command()
def new(
    name: Name,
    file: KeyFile,
    scope: Annotated[list[str], typer.Option(help="predict, subnet or metrics; may be repeated.")],
) -> None:
    """Make a key, and print it: it is kept as a digest, and cannot be printed again."""
    from service.security.key_file import change_keys
    from service.security.keys import SCOPES

    wrong = [s for s in scope if s not in SCOPES]
    if wrong:
        raise typer.BadParameter(f"--scope takes {', '.join(SCOPES)}; found {wrong[0]!r}")
    scopes = [s for s in SCOPES if s in scope]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    with failures():
        print(change_keys(file, lambda keys: keys.with_new(name, scopes, today)))


@app.command("list")
def list_(
    file: KeyFile, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the keys: names, scopes, and the day they were made."""
    from service.security.key_file import read_keys

    with failures():
        keys = read_keys(file).keys
    if as_json:
        shown = [{"name": k.name, "scopes": k.scopes, "created": k.created} for k in keys]
        print(json.dumps({"keys": shown}, indent=2))
        return
    table = Table("name", "scopes", "created")
    for key in keys:
        table.add_row(key.name, ", ".join(key.scopes), key.created)
    Console().print(table)


@app.command()
def revoke(name: Name, file: KeyFile) -> None:
    """Let a key in no more."""
    from service.security.key_file import change_keys

    with failures():
        change_keys(file, lambda keys: (keys.without(name), None))
    print(f"revoked {name}")
