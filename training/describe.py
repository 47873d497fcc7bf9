"""What a recipe's SuperNet can be cut to, found out without data."""

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from rich.console import Console, Group
from rich.table import Table

from model_store.subnet.slicing import width
from model_store.subnet.space import Architecture
from training.recipe import Recipe
from training.supernet import SuperNet, cost_model


@dataclass(frozen=True)
class Range:
    """From the smallest sub-network to the SuperNet itself."""

    min: float
    max: float


@dataclass(frozen=True)
class Choices:
    """A group of the search space."""

    name: str
    task: str | None
    """The task whose decoder it is; None for a group of the shared encoder."""
    ratios: tuple[float, ...]
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Description:
    """What ``slimdial-train describe`` says of a recipe."""

    recipe: str
    gmacs: Range
    """Multiply-accumulates of one image, in 1e9."""
    parameters: Range
    """Learnable parameters."""
    groups: tuple[Choices, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return asdict(self)

    def as_text(self) -> str:
        """A table to read."""
        table = Table("group", "task", "channels", box=None, header_style="bold")
        for group in self.groups:
            channels = " ".join(str(c) for c in group.channels)
            table.add_row(group.name, group.task or "", channels)
        gmacs, parameters = self.gmacs, self.parameters
        console = Console()
        with console.capture() as capture:
            console.print(
                Group(
                    f"[bold]{self.recipe}[/bold]",
                    f"GMACs       {gmacs.min:.4g} to {gmacs.max:.4g}",
                    f"parameters  {parameters.min:,.0f} to {parameters.max:,.0f}",
                    "",
                    table,
                )
            )
        return capture.get().rstrip()


def describe(recipe: Recipe) -> Description:
    """Describes a recipe's search space."""
    cost = cost_model(recipe.network)
    space = cost.space
    smallest, largest = space.smallest(), space.largest()
    with torch.device("meta"):
        network = SuperNet(recipe.network, space)
    return Description(
        recipe.name,
        Range(cost.of(smallest) / 1e9, cost.of(largest) / 1e9),
        Range(parameters_of(network, smallest), parameters_of(network, largest)),
        tuple(Choices(g.name, g.task, g.ratios, g.channels) for g in space.groups),
    )


def parameters_of(network: SuperNet, architecture: Architecture) -> int:
    """The number of learnable parameters of a sub-network, without extracting it."""
    slices = network.slices()
    return sum(
        prod(
            width(dim, architecture) if dim else size
            for dim, size in zip(slices[name], parameter.shape, strict=True)
        )
        for name, parameter in network.named_parameters()
    )
