"""``slimdial-train train``."""

from dataclasses import asdict, replace
from pathlib import Path

from training import checkpoint
from training.cli_data import folders, loaded, recipe_named
from training.console import asked_to_stop, progress, show_result
from training.engine import Engine
from training.ranks import started
from training.recipe import MobileNetV2Config, Recipe, ResNetConfig
from training.run import run as run_training
from training.variants import PAPER, RunName


def run(
    recipe: str,
    data: Path,
    runs: Path,
    weights: Path | None,
    variant: str | None,
    seed: int,
    epochs: int | None,
    engine: Engine,
    as_json: bool,
) -> None:
    """Trains a recipe, or a variant of it, into its run folder.

    Raises:
        ValueError: no such recipe or variant, or weights or a checkpoint that do not fit.
    """
    with asked_to_stop() as stop, started() as ranks:
        base = _lasting(_starting(recipe_named(recipe, data), weights), epochs)
        name = RunName(base.name, variant, seed)
        config = name.applied(base)
        with progress(ranks.first) as show:
            sets = loaded(config, data, ranks, show)
        path = runs / name.folder / "checkpoint.pt"
        history = run_training(config, sets, path, engine, ranks, stop)
        if ranks.first:
            # Another process of this run may have been asked to stop, and not this one.
            stopped = checkpoint.load(path)["epoch"] < config.training.epochs
            after = f"slimdial-train {_after(recipe, name)} {folders(data, runs)}"
            show_result(
                {"checkpoint": str(path), "epochs": [asdict(h) for h in history]},
                as_json,
                f"stopped: {path}\ncall the same command to go on"
                if stopped
                else f"trained: {path}\nnext: {after}",
            )


def _after(recipe: str, name: RunName) -> str:
    """The command that follows training."""
    if name.variant in (None, PAPER):
        return f"predictor {recipe}{name.flags}"
    return f"evaluate {recipe}"


def _starting(recipe: Recipe, weights: Path | None) -> Recipe:
    """The recipe, its encoder starting from a state dict."""
    encoder = recipe.network.encoder
    if weights is None:
        return recipe
    if not isinstance(encoder, ResNetConfig | MobileNetV2Config):
        raise ValueError(f"the encoder of {recipe.name!r} starts from no torchvision state dict")
    network = replace(recipe.network, encoder=replace(encoder, weights=weights))
    return replace(recipe, network=network)


def _lasting(recipe: Recipe, epochs: int | None) -> Recipe:
    if epochs is None:
        return recipe
    return replace(recipe, training=replace(recipe.training, epochs=epochs))
