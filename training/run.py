"""A training run with everything that it leaves behind and shows."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from training.bar import training_bar
from training.data.load import DataSets
from training.engine import Engine
from training.loop import EpochReport, StepReport, train
from training.machine import environment
from training.ranks import Ranks
from training.recipe import Recipe
from training.run_folder import RunFolder
from training.supernet import SuperNet


def run(
    recipe: Recipe,
    sets: DataSets,
    path: Path,
    engine: Engine,
    ranks: Ranks,
    stop: Callable[[], bool],
) -> list[EpochReport]:
    """Trains a SuperNet, shows its progress, and fills the checkpoint's folder.

    Args:
        recipe: the run.
        sets: its data.
        path: the checkpoint, to go on from and to write.
        engine: how the machine is used.
        ranks: the processes that train together; the first shows and writes.
        stop: asked after every step.

    Returns:
        The epochs that this call finished.
    """
    config, history = recipe.training, list[EpochReport]()
    with ExitStack() as stack:
        bar = stack.enter_context(training_bar(ranks.first, config.epochs, config.batch_size))
        folder: RunFolder | None = None
        if ranks.first:
            folder = RunFolder(path.parent, recipe, engine, environment(ranks))
            stack.callback(folder.close)

        def on_step(report: StepReport) -> None:
            speed = bar.step(report)
            if folder is not None:
                folder.step(report, speed)

        def on_epoch(report: EpochReport, _: SuperNet) -> None:
            history.append(report)
            bar.epoch(report)
            if folder is not None:
                folder.epoch(report, len(sets.train) // config.batch_size)

        train(recipe, sets.train, path, on_step, on_epoch, stop, sets.validation, ranks, engine)
    return history
