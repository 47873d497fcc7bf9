"""``slimdial``: serve, list, search and extract published models. Needs no torch.

Imports are inside the commands, so that ``slimdial --help`` answers at once and ``slimdial serve``
loads nothing that serving does not need.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service import cli_key
from service.cli_failures import failures

if TYPE_CHECKING:
    from model_store.published import ModelStore, PublishedModel
    from model_store.subnetwork import Choice, SubnetRequest

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-task networks whose cost and task priorities are dialled after training.",
)
app.add_typer(cli_key.app, name="key")

Root = Annotated[
    Path | None,
    typer.Option(
        "--models-root",
        envvar="SLIMDIAL_MODELS_ROOT",
        help="Folder of published models; those that ship if not given.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str | None, typer.Argument(help="Model; the first by name if not given.")]
Budget = Annotated[
    str,
    typer.Option(
        "--budget",
        "-b",
        help="GMACs (1e9 multiply-accumulates), or KIND=NUMBER with one of the kinds gmacs, "
        "fraction, parameters, size_bytes, latency_ms.",
    ),
]
Preferences = Annotated[
    list[str] | None,
    typer.Option("--preference", "-p", help="TASK=VALUE, value in [0, 1]; may be repeated."),
]
Tasks = Annotated[str | None, typer.Option("--tasks", help="Comma-separated tasks to keep.")]
Algorithm = Annotated[str, typer.Option("--algorithm", help="evolution or ecmt.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    models_root: Root = None,
    default_model: Annotated[str | None, typer.Option(help="Of requests that name none.")] = None,
    redis_url: Annotated[str | None, typer.Option(help="An embedded server if not set.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Of the embedded server.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or tensorrt.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
) -> None:
    """Serve predictions and sub-networks over HTTP. More settings: SLIMDIAL_... variables."""
    # Before numpy is imported: the products of a search are small, and on busy cores further BLAS
    # threads are waited for (measured: 0.6 ms become 16 ms). Predictions have threads of their own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from service.cli_serve import run

    given = {
        "host": host,
        "port": port,
        "models_root": models_root,
        "default_model": default_model,
        "redis_url": redis_url,
        "data_dir": data_dir,
        "device": device,
        "workers": workers,
        "log_level": log_level,
    }
    with failures():
        run({name: value for name, value in given.items() if value is not None})


@app.command()
def models(models_root: Root = None, as_json: AsJson = False) -> None:
    """List the published models."""
    from service.cli_print import print_models

    with failures():
        print_models(_open_all(models_root), as_json)


@app.command()
def search(
    budget: Budget,
    model: Model = None,
    preference: Preferences = None,
    tasks: Tasks = None,
    algorithm: Algorithm = "evolution",
    models_root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Search the architecture for a budget and a preference per task."""
    from service.cli_print import print_choice

    with failures():
        published, request, choice, milliseconds = _search(
            models_root, model, budget, preference, tasks, algorithm
        )
        print_choice(published, request, choice, {"search": milliseconds}, as_json)


@app.command()
def extract(
    budget: Budget,
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    model: Model = None,
    preference: Preferences = None,
    tasks: Tasks = None,
    algorithm: Algorithm = "evolution",
    models_root: Root = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search, cut out and calibrate a sub-network, and write it as an ONNX file."""
    from model_store.subnetwork import build
    from service.cli_print import print_choice
    from service.cpu_limit import usable_cores

    with failures():
        _refuse_overwriting(output, force)
        published, request, choice, milliseconds = _search(
            models_root, model, budget, preference, tasks, algorithm
        )
        with Console(stderr=True).status("cutting out and calibrating"):
            subnet = build(published, choice, usable_cores())
        _refuse_overwriting(output, force)
        temporary = output.with_name(f".{output.name}.{choice.subnet_id}")
        try:
            temporary.write_bytes(subnet.onnx)
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
        timings = {"search": milliseconds, **subnet.metadata.timings_ms}
        print_choice(published, request, choice, timings, as_json, output, subnet.metadata)


@app.command()
def profile(
    model: Model = None,
    models_root: Root = None,
    data_dir: Annotated[Path | None, typer.Option(help="Of the service.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or tensorrt.")] = None,
    networks: Annotated[int, typer.Option(min=8, help="Sub-networks to fit to.")] = 60,
    held_out: Annotated[int, typer.Option(min=1, help="Sub-networks to judge by.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Over all of them.")] = 40,
    as_json: AsJson = False,
) -> None:
    """Measure how fast sub-networks are on this machine, for budgets of latency_ms."""
    from service.cli_profile import run
    from service.cli_serve import settings_of
    from service.profiling import Plan

    given = {"data_dir": data_dir, "device": device}
    with failures():
        settings = settings_of({n: v for n, v in given.items() if v is not None})
        run(_open(models_root, model), settings, Plan(networks, held_out, rounds), as_json)


@app.command()
def warm(
    model: Model = None,
    url: Annotated[str, typer.Option(help="The running service.")] = "http://127.0.0.1:8000",
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", "-b", help="As in search; may be repeated. --steps if not given."),
    ] = None,
    preference: Annotated[
        list[str] | None,
        typer.Option(
            "--preference",
            "-p",
            help="TASK=VALUE,TASK=VALUE...; may be repeated. If not given: all tasks alike, and "
            "each one alone.",
        ),
    ] = None,
    tasks: Tasks = None,
    steps: Annotated[int, typer.Option(min=1, help="Budgets, from smallest to largest.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Fill the cache of a running service, for a grid of budgets and preferences.

    Where it wants an API key, SLIMDIAL_API_KEY is sent.
    """
    from service.cli_warm import run

    preferences = [_preferences(text.split(",")) for text in preference or []]
    run(url, model, budget or [], preferences, _kept(tasks), steps, as_json)


def _search(
    root: Path | None,
    name: str | None,
    budget: str,
    preference: list[str] | None,
    tasks: str | None,
    algorithm: str,
) -> "tuple[PublishedModel, SubnetRequest, Choice, float]":
    import time

    from model_store.subnetwork import SubnetRequest, choose
    from service.cli_budget import latency_profile, parse_budget

    asked = parse_budget(budget)
    console = Console(stderr=True)
    with console.status("opening the model"):
        published = _open(root, name)
    try:
        request = SubnetRequest.of(
            published,
            asked,
            _preferences(preference),
            _kept(tasks),
            search=algorithm,
            latency=latency_profile(published) if asked.kind == "latency_ms" else None,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    start = time.perf_counter()
    with console.status("searching"):
        choice = choose(published, request)
    return published, request, choice, 1e3 * (time.perf_counter() - start)


def _kept(tasks: str | None) -> list[str] | None:
    return None if tasks is None else [t.strip() for t in tasks.split(",")]


def _preferences(texts: list[str] | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts or []:
        task, equals, value = text.partition("=")
        try:
            found[task.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise typer.BadParameter(f"--preference takes TASK=VALUE, found {text!r}")
    return found


def _open(root: Path | None, name: str | None) -> "PublishedModel":
    from model_store.published import ModelStore, default_root

    store = ModelStore(root or default_root())
    known = store.names()
    if not known:
        raise _nothing_in(store.root)
    if name is not None and name not in known:
        raise typer.BadParameter(f"unknown model {name!r}; known are {', '.join(known)}")
    return _opened(store, name or known[0])


def _open_all(root: Path | None) -> "list[PublishedModel]":
    from model_store.published import ModelStore, default_root

    store = ModelStore(root or default_root())
    if not store.names():
        raise _nothing_in(store.root)
    return [_opened(store, name) for name in store.names()]


def _opened(store: "ModelStore", name: str) -> "PublishedModel":
    from model_store.published import ModelError

    try:
        return store.open(name)
    except ValueError as error:  # a folder of another name than models may have
        raise ModelError(store.root / name, str(error)) from error


def _nothing_in(root: Path) -> FileNotFoundError:
    return FileNotFoundError(f"{root} holds no published model; try --models-root FOLDER")


def _refuse_overwriting(output: Path, force: bool) -> None:
    if output.exists() and not force:
        raise FileExistsError(f"{output} exists; --force overwrites it")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent} is not a folder; make it first")


if __name__ == "__main__":
    app()
