"""Arguments and options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
"""Where runs are kept if nothing else is said."""

RecipeArgument = Annotated[
    str, typer.Argument(help="A recipe's name, or own for data of your own.")
]
DataOption = Annotated[
    Path, typer.Option("--data", help="The data set's folder; rooms caches its scenes there.")
]
RunsOption = Annotated[
    Path, typer.Option("--runs", help="Where checkpoints and samples are kept, by recipe.")
]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant",
        help="A network to compare with: static, single:TASK, no-distillation, or paper.",
    ),
]
SuperNetOption = Annotated[
    str | None,
    typer.Option("--variant", help="A SuperNet to compare with: no-distillation or paper."),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Another length of the training; default: the recipe's."),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", min=0, help="Another seed than the recipe's own, which 0 stands for."),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option("--weights", help="Torchvision's state dict, for the encoder to start from."),
]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="The model store; default: the shipped one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
