"""``slimdial-train``: from a recipe and its data to a published model."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import safetensors.numpy
import typer

from model_store.published import ModelStore, default_root
from training import checkpoint
from training.cli_evaluate import evaluate
from training.configs import recipes
from training.console import asked_to_stop, errors, progress, show_result
from training.data.load import DataSets, load
from training.data.loader import default_workers
from training.describe import describe as describe_recipe
from training.engine import Engine
from training.fitted import load_fitted
from training.loop import load_network
from training.measure import measurer
from training.options import (
    DataOption,
    EpochsOption,
    JsonOption,
    RecipeArgument,
    RunsOption,
    SeedOption,
    StoreOption,
    SuperNetOption,
    VariantOption,
    WeightsOption,
)
from training.own import own
from training.predictor import fit
from training.publish import CalibrationKind, calibration_images, check_publishable
from training.publish import publish as publish_model
from training.ranks import Ranks, started
from training.recipe import MobileNetV2Config, Recipe, ResNetConfig
from training.run import run
from training.samples import collect
from training.variants import PAPER, RunName, supernet

app = typer.Typer(
    help="Train a multi-task SuperNet once, and publish it for slimdial to cut networks from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def train(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = Path("runs"),
    weights: WeightsOption = None,
    variant: VariantOption = None,
    seed: SeedOption = 0,
    epochs: EpochsOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that make batches; default: by the cores.")
    ] = None,
    checkpointing: Annotated[
        bool,
        typer.Option("--gradient-checkpointing", help="Less memory, more time."),
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Repeat a run to the bit, on GPUs too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a SuperNet. Interrupted, it goes on from its last checkpoint when called again.

    Under torchrun, the processes it starts train together.
    """
    with errors(), asked_to_stop() as stop, started() as ranks:
        base = _lasting(_starting(_recipe(recipe, data), weights), epochs)
        name = RunName(base.name, variant, seed)
        config = name.applied(base)
        engine = Engine(workers or default_workers(), checkpointing, deterministic)
        sets = _load(config, data, ranks)
        path = runs / name.folder / "checkpoint.pt"
        history = run(config, sets, path, engine, ranks, stop)
        if ranks.first:
            stopped = history[-1].epoch < config.training.epochs if history else stop()
            show_result(
                {"checkpoint": str(path), "epochs": [asdict(h) for h in history]},
                as_json,
                f"stopped: {path}\ncall the same command to go on"
                if stopped
                else f"trained: {path}\nnext: slimdial-train {_after(recipe, name)} --data {data}",
            )


@app.command()
def predictor(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = Path("runs"),
    variant: SuperNetOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure sub-networks on the validation split and fit the accuracy predictor to them.

    Under torchrun, the processes it starts share the measuring.
    """
    with errors(), started() as ranks:
        base = _recipe(recipe, data)
        name = RunName(base.name, supernet(variant), seed)
        config, folder = name.applied(base), runs / name.folder
        network = load_network(config, folder / "checkpoint.pt", ranks)
        digest = ranks.from_first(lambda: checkpoint.digest(folder / "checkpoint.pt"))
        sets = _load(config, data, ranks)
        tasks = [t.name for t in config.network.tasks]
        with progress(ranks.first) as show:
            measured = collect(
                network.space,
                config.predictor.samples,
                config.seed,
                folder / "samples.jsonl",
                digest,
                measurer(config, network, sets.train, sets.validation),
                lambda done, count: show("measuring sub-networks", done, count),
                ranks,
            )
            if not ranks.first:
                return
            tensors, quality = fit(
                network.space, tasks, measured, config.predictor, config.seed, show
            )
        safetensors.numpy.save_file(
            tensors, folder / "predictor.safetensors", metadata={"checkpoint": digest}
        )
        (folder / "predictor.json").write_text(json.dumps(asdict(quality), indent=1))
        lines = [
            f"{'task':32} {'tau loss':>9} {'MAE loss':>9} {'tau metric':>10} {'MAE metric':>10}"
        ]
        lines += [
            f"{t:32} {quality.loss_tau[t]:9.3f} {quality.loss_mae[t]:9.4f} "
            f"{quality.metric_tau[t]:10.3f} {quality.metric_mae[t]:10.4f}"
            for t in tasks
        ]
        lines.append(f"next: slimdial-train publish {recipe}{name.flags} --data {data}")
        show_result(asdict(quality), as_json, "\n".join(lines))


@app.command()
def publish(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = Path("runs"),
    root: StoreOption = None,
    version: Annotated[str, typer.Option(help="The version's name.")] = "1",
    calibration: Annotated[
        CalibrationKind,
        typer.Option(help="Ship real training images, or synthetic ones with their statistics."),
    ] = "real",
    images: Annotated[int, typer.Option(min=2, max=4096, help="Calibration images.")] = 128,
    rounding: Annotated[
        int | None,
        typer.Option(
            min=1, help="Publish encoder widths in multiples of this; default: the recipe's."
        ),
    ] = None,
    variant: SuperNetOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Publish a trained SuperNet, after comparing it with PyTorch. Refuses on a difference."""
    with errors():
        base = _recipe(recipe, data)
        name = RunName(base.name, supernet(variant), seed)
        config, folder = name.applied(base), runs / name.folder
        store, divisor = ModelStore(root or default_root()), rounding or config.network.divisor
        network = load_network(config, folder / "checkpoint.pt")
        tensors, quality = load_fitted(folder)
        check_publishable(config, store, version, divisor)
        with progress() as show:
            sets = load(config, data, lambda done, count: show("rendering scenes", done, count))
            pixels = calibration_images(network, sets, calibration, images, config.seed, show)
            result = publish_model(
                config,
                network,
                tensors,
                quality,
                sets,
                pixels,
                calibration,
                store,
                version,
                divisor,
                show,
            )
        show_result(
            {"path": str(result.path), "parity": result.parity, "report": result.report},
            as_json,
            f"published: {result.path}\nlargest difference from PyTorch: {result.parity:.1e}\n"
            "next: slimdial serve",
        )


@app.command()
def describe(
    recipe: RecipeArgument, data: DataOption = Path("data"), as_json: JsonOption = False
) -> None:
    """Say what a recipe's SuperNet can be cut to: groups, GMACs, parameters.

    Needs no data; for data of one's own, only their description.
    """
    with errors():
        description = describe_recipe(_recipe(recipe, data))
        show_result(description.as_json(), as_json, description.as_text())


app.command()(evaluate)


def _recipe(name: str, data: Path) -> Recipe:
    if name == "own":
        return own(data)
    known = recipes()
    if name not in known:
        raise ValueError(
            f"unknown recipe {name!r}; there are {', '.join(known)}, "
            "and own for the data that --data describes"
        )
    return known[name]()


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


def _load(config: Recipe, data: Path, ranks: Ranks) -> DataSets:
    with ranks.one_a_machine_first(), progress(ranks.first) as show:
        return load(config, data, lambda done, count: show("rendering scenes", done, count))
