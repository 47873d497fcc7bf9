"""Budgets on the command line."""

from typing import TYPE_CHECKING, cast

import typer

from model_store.budget import Budget, BudgetKind
from model_store.latency import LatencyProfile
from model_store.published import PublishedModel

if TYPE_CHECKING:
    from service.device import Device
    from service.settings import Settings


def parse_budget(text: str) -> Budget:
    """``0.25`` (GMACs) or ``KIND=NUMBER``.

    Raises:
        typer.BadParameter: it is neither, or not a budget.
    """
    kind, equals, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError as error:
        raise typer.BadParameter(f"--budget takes NUMBER or KIND=NUMBER, found {text!r}") from error
    try:
        return Budget(cast("BudgetKind", kind.strip() if equals else "gmacs"), value)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from error


def latency_profile(model: PublishedModel) -> LatencyProfile | None:
    """The model's profile here, of the settings in the environment; None if there is none.

    Raises:
        typer.Exit: the device that is set does not work.
    """
    from service.cli_serve import settings_of
    from service.profiles import Profiles, place_of

    settings = settings_of({})
    device = device_of(settings)
    return Profiles(settings.data_dir, place_of(device, settings.gpu_precision)).of(model)


def device_of(settings: "Settings") -> "Device":
    """Where networks run with these settings.

    Raises:
        typer.Exit: the device that is set does not work.
    """
    from service.providers import DeviceError, choose_device

    try:
        return choose_device(settings.device, settings.intra_op_threads, settings.require_gpu)
    except DeviceError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
