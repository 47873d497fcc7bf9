"""Budgets on the command line."""

from typing import cast

import typer

from model_store.budget import Budget, BudgetKind
from model_store.latency import LatencyProfile
from model_store.published import PublishedModel


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
    """The model's profile here, of the settings in the environment; None if there is none."""
    from service.cli_serve import settings_of
    from service.profiles import Profiles, place_of
    from service.providers import choose_device

    settings = settings_of({})
    device = choose_device(settings.device, settings.intra_op_threads, settings.require_gpu)
    return Profiles(settings.data_dir, place_of(device, settings.gpu_precision)).of(model)
