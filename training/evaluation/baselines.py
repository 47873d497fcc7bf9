"""The networks that a SuperNet is compared with, from the run folders where they were trained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training import checkpoint
from training.data.load import DataSets
from training.data.source import Source, Subset, in_order
from training.evaluation.gauge import Gauge, digest_of
from training.evaluation.results import Baseline, Baselines, Measured
from training.evaluation.subject import Run
from training.loop import load_network
from training.measure import calibration_batch
from training.ranks import Ranks
from training.recipe import MobileNetV2Config, Recipe, ResNetConfig
from training.state import check_trained_on, how_trained
from training.supernet import cost_model
from training.tasks import IGNORE
from training.variants import NO_DISTILLATION, SINGLE, STATIC


@dataclass(frozen=True)
class Sibling:
    """A baseline's run folder, as it was found."""

    variant: str
    recipe: Recipe
    path: Path | None
    """The checkpoint; None if there is none that was trained alike."""
    digest: str
    options: str


def siblings(run: Run, epochs: int | None, ranks: Ranks) -> list[Sibling]:
    """The baselines of a run: of the same seed if they were trained with it, or of the recipe's.

    Only those count that were trained alike: for as many epochs as the run, from the same weights.

    Raises:
        ValueError: a run folder holds something else.
    """
    singles = (f"{SINGLE}{t.name}" for t in run.base.network.tasks)
    # Without distillation there is only the recipe's own SuperNet.
    undistilled = [NO_DISTILLATION] if run.name.variant is None else []
    names = [STATIC, *singles, *undistilled]
    return ranks.from_first(lambda: [_sibling(run, name, epochs) for name in names])


def _sibling(run: Run, variant: str, epochs: int | None) -> Sibling:
    weights = checkpoint.load(run.checkpoint).get("weights")
    options = "" if epochs == run.base.training.epochs else f" --epochs {epochs}"
    if weights and isinstance(run.base.network.encoder, ResNetConfig | MobileNetV2Config):
        options += " --weights FILE"
    for seed in dict.fromkeys((run.name.seed, 0)):
        name = replace(run.name, variant=variant, seed=seed)
        path = run.folder.parent / name.folder / "checkpoint.pt"
        recipe = name.applied(run.base)
        trained = replace(recipe.training, epochs=epochs or recipe.training.epochs)
        if path.is_file() and how_trained(path) == (epochs, weights, repr(trained)):
            return Sibling(variant, recipe, path, checkpoint.digest(path), name.options + options)
    name = replace(run.name, variant=variant)
    return Sibling(variant, name.applied(run.base), None, "", name.options + options)


def measured_baselines(
    gauge: Gauge,
    run: Run,
    found: list[Sibling],
    load_sets: Callable[[Recipe], DataSets],
) -> Baselines:
    """Measures what there is of the baselines, on the same test images.

    Args:
        gauge: measures the run's own SuperNet.
        run: the run.
        found: its :func:`siblings`.
        load_sets: loads the data of a variant, which it is calibrated on.
    """
    space, cost = gauge.network.space, cost_model(run.recipe.network)
    architectures = [space.largest(), space.smallest()]
    qualities = gauge.measure("measuring the extremes", architectures)
    full, smallest = (
        Measured(channels=a.as_dict(), gmacs=cost.of(a) / 1e9, quality=q)
        for a, q in zip(architectures, qualities, strict=True)
    )
    by_name = {s.variant: _baseline(gauge, s, load_sets) for s in found}
    return Baselines(
        full=full,
        smallest=smallest,
        static=by_name[STATIC],
        singles={t.name: by_name[f"{SINGLE}{t.name}"] for t in run.base.network.tasks},
        no_distillation=by_name.get(NO_DISTILLATION),
    )


def _baseline(gauge: Gauge, sibling: Sibling, load_sets: Callable[[Recipe], DataSets]) -> Baseline:
    largest = smallest = None
    if sibling.path is not None:
        largest, smallest = _extremes(gauge, sibling, sibling.path, load_sets)
    return Baseline(
        variant=sibling.variant,
        run=None if sibling.path is None else sibling.path.parent.name,
        options=sibling.options,
        largest=largest,
        smallest=smallest,
    )


def _extremes(
    gauge: Gauge, sibling: Sibling, path: Path, load_sets: Callable[[Recipe], DataSets]
) -> Iterator[Measured]:
    recipe, ranks = sibling.recipe, gauge.ranks
    network, test = load_network(recipe, path, ranks), _of_task(gauge.test, recipe)
    same, train = test is gauge.test, load_sets(recipe).train
    check_trained_on(train, path, ranks)
    own = Gauge(
        network=network,
        identity=sibling.digest,
        test=test,
        test_digest=gauge.test_digest if same else ranks.from_first(lambda: digest_of(test)),
        calibration_NCHW=calibration_batch(recipe, train),
        memo=gauge.memo,
        ranks=ranks,
        show=gauge.show,
    )
    cost = cost_model(recipe.network)
    architectures = [network.space.largest(), network.space.smallest()]
    qualities = own.measure(f"measuring {sibling.variant}", architectures)
    return (
        Measured(channels=a.as_dict(), gmacs=cost.of(a) / 1e9, quality=q)
        for a, q in zip(architectures, qualities, strict=True)
    )


def _of_task(test: Source, recipe: Recipe) -> Source:
    """The test images that a single task is labelled on, where each image is for one task."""
    tasks = recipe.network.tasks
    if len(tasks) > 1 or recipe.layout != "cifar100" or recipe.scenes:
        return test
    targets = [batch.targets[tasks[0].name] for batch in in_order(test, 256)]
    mine = torch.cat(targets).ne(IGNORE).nonzero().flatten()
    if isinstance(test, Subset):
        return Subset(test.source, test.indices[mine])
    return Subset(test, mine)
