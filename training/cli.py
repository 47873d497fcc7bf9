"""``slimdial-train``: from a recipe and its data to a published model.

Imports are inside the commands, so that ``--help`` does not wait for PyTorch.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.evaluation.settings import Settings
from training.options import (
    RUNS,
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

app = typer.Typer(
    help="Train a multi-task SuperNet once, and publish it for slimdial to cut networks from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def train(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = RUNS,
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
    from training.cli_train import run
    from training.console import errors
    from training.data.loader import default_workers
    from training.engine import Engine

    with errors():
        engine = Engine(workers or default_workers(), checkpointing, deterministic)
        run(recipe, data, runs, weights, variant, seed, epochs, engine, as_json)


@app.command()
def predictor(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = RUNS,
    variant: SuperNetOption = None,
    seed: SeedOption = 0,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="As the paper does: from 2,000 samples of independent widths."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure sub-networks on the validation split and fit the accuracy predictor to them.

    Under torchrun, the processes it starts share the measuring.
    """
    from training.cli_predictor import run
    from training.console import errors

    with errors():
        run(recipe, data, runs, variant, seed, paper, as_json)


@app.command()
def publish(
    recipe: RecipeArgument,
    data: DataOption = Path("data"),
    runs: RunsOption = RUNS,
    root: StoreOption = None,
    version: Annotated[str, typer.Option(help="The version's name.")] = "1",
    calibration: Annotated[
        Literal["real", "synthetic"],
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
    from training.cli_publish import run
    from training.console import errors

    with errors():
        run(
            recipe,
            data,
            runs,
            root,
            version,
            calibration,
            images,
            rounding,
            variant,
            seed,
            as_json,
        )


@app.command()
def describe(
    recipe: RecipeArgument, data: DataOption = Path("data"), as_json: JsonOption = False
) -> None:
    """Say what a recipe's SuperNet can be cut to: groups, GMACs, parameters.

    Needs no data; for data of one's own, only their description.
    """
    from training.cli_data import recipe_named
    from training.console import errors, show_result
    from training.describe import describe as describe_recipe

    with errors():
        description = describe_recipe(recipe_named(recipe, data))
        show_result(description.as_json(), as_json, description.as_text())


@app.command()
def evaluate(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|MODEL...",
            help="A recipe with its run, its seeds and its baselines; a run folder; or a published "
            "model. Several must be of one recipe.",
        ),
    ],
    data: DataOption = Path("data"),
    runs: RunsOption = RUNS,
    root: StoreOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: evaluation/ and the recipe's name.")
    ] = None,
    budgets: Annotated[
        list[float] | None,
        typer.Option("--budget", help="A share of the full GMACs; repeat it. Default: 1 and 0.44."),
    ] = None,
    preferences: Annotated[
        int, typer.Option(min=2, max=24, help="Preferences to sample; the paper has 20.")
    ] = Settings.preferences,
    images: Annotated[
        int | None, typer.Option(min=1, help="Test images to measure on; default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained SuperNet in the paper's tables and figures, and report them.

    Interrupted, it goes on where it was when called again. Under torchrun, the processes it starts
    share the measuring.
    """
    from training.cli_evaluate import run
    from training.console import errors

    with errors():
        shares = tuple(budgets) if budgets else Settings.shares
        settings = Settings(shares=shares, preferences=preferences, images=images)
        run(names, data, runs, root, out, settings, as_json)
