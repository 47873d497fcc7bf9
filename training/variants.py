"""Variants of a recipe: the networks that a SuperNet is compared with, and other seeds.

A variant is a recipe of its own, trained by the same commands into a run folder of its own, whose
name says what it is: ``rooms-static``, ``rooms-single-depth-seed1``.
"""

from dataclasses import dataclass, replace

from training.recipe import Recipe

STATIC = "static"
NO_DISTILLATION = "no-distillation"
PAPER = "paper"
SUPERNETS = (NO_DISTILLATION, PAPER)
"""SuperNets, too: networks are cut from them."""
SINGLE = "single:"

FEWEST_IMAGES = 16
"""Smallest batch of a single-task network: batch norm uses the batch's own statistics."""


@dataclass(frozen=True)
class RunName:
    """What a run folder's name says."""

    recipe: str
    variant: str | None = None
    """``static``, ``single:TASK``, ``no-distillation`` or ``paper``; None for the SuperNet."""
    seed: int = 0
    """0 is the recipe's own."""
    called: str | None = None
    """What commands call the recipe, if not by its name: ``own``."""

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe of this run, made from the SuperNet's.

        Raises:
            ValueError: there is no such variant, or no such task.
        """
        made = varied(recipe, self.variant)
        return replace(made, seed=self.seed) if self.seed else made

    @property
    def folder(self) -> str:
        """The folder's name under ``--runs``."""
        variant = f"-{self.variant.replace(':', '-')}" if self.variant else ""
        return f"{self.recipe}{variant}" + (f"-seed{self.seed}" if self.seed else "")

    @property
    def options(self) -> str:
        """What ``slimdial-train train`` is called with to make it, without ``--data``."""
        return f"{self.called or self.recipe}{self.flags}"

    @property
    def flags(self) -> str:
        """The options among them, with a space before each."""
        variant = f" --variant {self.variant}" if self.variant else ""
        seed = f" --seed {self.seed}" if self.seed else ""
        return f"{variant}{seed}"


def supernet(variant: str | None) -> str | None:
    """The variant, if it is a SuperNet, which networks are cut from.

    Raises:
        ValueError: it is not.
    """
    if variant is None or variant in SUPERNETS:
        return variant
    raise ValueError(
        f"{variant!r} is no variant that networks are cut from; there are {' and '.join(SUPERNETS)}"
    )


def varied(recipe: Recipe, variant: str | None) -> Recipe:
    """The recipe of a variant.

    - ``static``: MTL-Static (ECMT Sec. 5, Baselines): the same network at full width, trained
      alone, for as many steps.
    - ``single:TASK``: the same with that task's decoder alone. Where each image is labelled for one
      task (the layout of CIFAR-100), it only sees that task's images, in batches so much smaller
      that it takes about as many steps as the SuperNet, each a fraction of the cost.
    - ``no-distillation``: the SuperNet without distillation (ECMT Table 4).
    - ``paper``: the SuperNet of a sandwich whose widths are drawn as ECMT draws them (Sec. 4.1).

    Raises:
        ValueError: there is no such variant, or no such task.
    """
    if variant is None:
        return recipe
    if variant == NO_DISTILLATION:
        return replace(recipe, training=replace(recipe.training, distillation=0.0))
    if variant == PAPER:
        return replace(recipe, training=replace(recipe.training, sampling="independent"))
    if variant == STATIC:
        return _static(recipe)
    if variant.startswith(SINGLE):
        return _single(_static(recipe), variant.removeprefix(SINGLE))
    raise ValueError(
        f"unknown variant {variant!r}; there are {STATIC}, {NO_DISTILLATION}, {PAPER} and "
        f"{SINGLE}TASK"
    )


def _static(recipe: Recipe) -> Recipe:
    return replace(
        recipe,
        network=replace(recipe.network, ratios=(1.0,)),
        training=replace(recipe.training, sandwich=1, distillation=0.0),
    )


def _single(recipe: Recipe, name: str) -> Recipe:
    tasks = tuple(t for t in recipe.network.tasks if t.name == name)
    if not tasks:
        known = ", ".join(t.name for t in recipe.network.tasks)
        raise ValueError(f"the recipe {recipe.name!r} has no task {name!r}; it has {known}")
    training = recipe.training
    if recipe.layout == "cifar100" and not recipe.scenes:
        share = len(recipe.network.tasks)
        batch_size = max(-(-training.batch_size // share), min(FEWEST_IMAGES, training.batch_size))
        training = replace(training, batch_size=batch_size)
    dense = any(t.kind != "classification" for t in tasks)
    decoder = recipe.network.decoder if dense else None
    return replace(
        recipe,
        network=replace(recipe.network, tasks=tasks, decoder=decoder),
        training=training,
    )
