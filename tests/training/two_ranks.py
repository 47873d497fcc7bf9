"""What two processes do together, for :mod:`tests.training.test_ranks`: run by torchrun.

``torchrun --nproc-per-node 2 -m tests.training.two_ranks FOLDER``
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model_store.subnet.space import Architecture
from tests.training.tiny import Noise, classifying, dense, images, network_of, some
from training.data.source import Batch
from training.engine import Engine, prepared
from training.evaluate import Quality, normalise
from training.evaluation.gauge import Gauge
from training.evaluation.memo import Memo
from training.loop import StepReport, load_network, train
from training.measure import validation_losses
from training.ranks import Ranks, started
from training.recipe import Recipe, TrainingConfig
from training.samples import collect
from training.sandwich import StepLosses, accumulate_gradients
from training.supernet import SuperNet

IMAGES = 20
"""Of the trained run: two batches an epoch."""
UNEVEN = 5
"""Images of a batch that two ranks cannot halve."""
SAMPLES = 6
TRAINED = replace(classifying(), training=replace(classifying().training, epochs=2))


def partly_labelled() -> Batch:
    """Every task's labels are spread unevenly, and one rank has none of some."""
    batch = Noise.of(dense(), UNEVEN).batch(torch.arange(UNEVEN))
    targets = batch.targets
    targets["semseg"][:2] = 255
    targets["depth"][0, :20] = 0.0
    targets["normals"][3:] = 0.0
    targets["saliency"][1:, 5:] = 0
    return batch


def step(network: SuperNet, batch: Batch, ranks: Ranks) -> StepLosses:
    """Gradients and losses of one step, of the whole batch."""
    mine = ranks.part(UNEVEN)
    part = slice(mine.start, mine.stop)
    losses = accumulate_gradients(
        prepared(network, ranks, Engine()),
        normalise(network.config, batch.images_NCHW)[part].double(),
        {t: target[part] for t, target in batch.targets.items()},
        [network.space.largest(), some(network, 1), network.space.smallest()],
        TrainingConfig(1, 8, 1e-3, 0.0, 0.3),
        ranks,
    )
    return losses.with_values(ranks.add_up(network.parameters(), losses.values()))


def trained(path: Path, ranks: Ranks, steps: int) -> list[StepReport]:
    """So many steps more of a run, in float64; the last rank alone asks to stop."""
    reports: list[StepReport] = []
    torch.set_default_dtype(torch.float64)
    try:
        train(
            TRAINED,
            Noise.of(TRAINED, IMAGES),
            path,
            reports.append,
            stop=lambda: ranks.rank == ranks.count - 1 and len(reports) == steps - 1,
            ranks=ranks,
        )
    finally:
        torch.set_default_dtype(torch.float32)
    return reports


def quality(architecture: Architecture) -> Quality:
    """Something that differs between sub-networks."""
    return Quality({"animals": float(np.mean(architecture.channels))}, {"animals": 0.5})


def sampled(path: Path, ranks: Ranks, count: int = SAMPLES) -> int:
    """Measures samples, and says how many this rank measured."""
    measured: list[Architecture] = []

    def measure(architecture: Architecture) -> Quality:
        measured.append(architecture)
        return quality(architecture)

    space = network_of(classifying()).space
    samples = collect(space, count, 0, path, "digest", measure, ranks=ranks)
    assert [s.quality for s in samples] == [quality(s.architecture) for s in samples]
    return len(measured)


def validated(ranks: Ranks) -> dict[str, float]:
    """Losses over a set of more than one batch.

    On one thread, as torchrun starts ranks: bfloat16 shows in which order threads add up.
    """
    recipe: Recipe = classifying()
    network = network_of(recipe)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return validation_losses(
            recipe, network, Noise.of(recipe, 20), Noise.of(recipe, 70, seed=1), ranks
        )
    finally:
        torch.set_num_threads(threads)


def gauged(path: Path, ranks: Ranks) -> list[float]:
    """Losses of three sub-networks, each measured on one rank, and one of them asked for twice."""
    recipe: Recipe = classifying()
    network = network_of(recipe)
    asked = [some(network, seed) for seed in (1, 2, 1, 3)]
    gauge = Gauge(
        network=network,
        identity="digest",
        test=Noise.of(recipe, 12),
        test_digest="digest",
        calibration_NCHW=images(8),
        memo=Memo(path, ranks),
        ranks=ranks,
        show=lambda *_: None,
    )
    return [q.losses["animals"] for q in gauge.measure("measuring", asked)]


def main(folder: Path) -> None:
    """Leaves what both found in the folder."""
    with started() as ranks:
        network = network_of(dense()).double()
        losses = step(network, partly_labelled(), ranks)
        found = {
            "losses": losses.values(),
            "gradients": {n: p.grad for n, p in network.named_parameters()},
            "steps": len(trained(folder / "checkpoint.pt", ranks, steps=2)),
            "measured": sampled(folder / "samples.jsonl", ranks),
            "validation": validated(ranks),
            "gauged": gauged(folder / "measured.jsonl", ranks),
        }
        try:
            load_network(TRAINED, folder / "nowhere.pt", ranks)
        except ValueError as error:
            found["error"] = str(error)
        torch.save(found, folder / f"rank{ranks.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
