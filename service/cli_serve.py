"""``slimdial serve``: settings, models, server."""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import typer
from pydantic import ValidationError

from model_store.published import PublishedModel
from service import logs
from service.catalog import open_catalog
from service.describe import budget_range
from service.providers import DeviceError, choose_device
from service.security.key_file import read_keys
from service.security.keys import KeysError
from service.security.tls import TlsError, tls_options
from service.server import make_server
from service.settings import Settings
from service.workers import WorkerError, serve

log = logging.getLogger(__name__)


def run(given: Mapping[str, Any]) -> None:
    """Serves until told to stop.

    Args:
        given: settings from the command line; they win over the environment.

    Raises:
        ModelError: no model can be served.
        typer.BadParameter: a setting is malformed.
        typer.Exit: certificate, key or API keys cannot be used, the device does not work, the port
            is taken, or a worker did not start.
    """
    start = time.perf_counter()
    settings = settings_of(given)
    logs.configure(settings)
    try:
        tls_options(settings)
        if settings.api_keys_file is not None:
            read_keys(settings.api_keys_file)
        catalog = open_catalog(settings.models_root, settings.default_model)
        if settings.require_gpu or settings.device in ("cuda", "tensorrt"):
            choose_device(settings.device, settings.intra_op_threads, settings.require_gpu)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except (DeviceError, TlsError, KeysError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error

    def welcome(url: str) -> None:
        model = catalog.get(None)
        seconds = time.perf_counter() - start
        if settings.log_format == "json":
            log.info("listening", extra=logs.fields(url=url, after_s=round(seconds, 3)))
            return
        typer.echo(f"slimdial serves {', '.join(catalog.models)} on {url} ({seconds:.1f} s)")
        typer.echo(f"Open it in a browser. Documentation: {url}/docs\nA first sub-network:\n")
        typer.echo(f"  {example(url, model)}\n")

    try:
        if settings.workers > 1:
            serve(settings, welcome)
        else:
            make_server(settings, catalog, lambda server: welcome(server.url)).run()
    except WorkerError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except SystemExit as error:  # uvicorn has logged why
        typer.echo("error: the server did not start; is the port taken? try --port 0", err=True)
        raise typer.Exit(1) from error


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings from the command line and the environment.

    Raises:
        typer.BadParameter: a setting is malformed.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(p) for p in first["loc"])
        raise typer.BadParameter(f"setting {name}: {first['msg']}") from error


def example(url: str, model: PublishedModel) -> str:
    """A command that dials a sub-network of half the cost range, for the first task."""
    limits = budget_range(model)
    half = float(f"{(limits['min_gmacs'] + limits['max_gmacs']) / 2:.2g}")
    body = {"budget": {"gmacs": half}, "preference": {model.space.tasks[0]: 1.0}}
    return f"curl -s {url}/subnet -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
