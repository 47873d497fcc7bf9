"""Measured sub-networks, which the accuracy predictor learns from."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.subnet.space import Architecture, SearchSpace
from training.evaluate import Quality
from training.ranks import Ranks


@dataclass(frozen=True)
class Sample:
    """A sub-network and its quality on the validation split."""

    architecture: Architecture
    quality: Quality


def sampled(space: SearchSpace, seed: int, index: int, stratified: bool = True) -> Architecture:
    """The index-th architecture to measure: stratified, or of independent widths as the paper's.

    Widths drawn independently make costs that crowd around their mean, since a sum of many draws
    does: the extremes that small and large budgets ask for would never be seen. So the samples are
    stratified by cost: each draws a level u ~ U(0, 1) first, then every group's choice from the
    binomial distribution around u, whose spread is that of non-uniform sub-networks. The first two
    samples are the smallest and the largest.
    """
    rng = np.random.default_rng([seed, index])
    if not stratified:
        return space.random(rng)
    if index < 2:
        return (space.smallest(), space.largest())[index]
    return space.architecture(rng.binomial(space.choices_G - 1, rng.random()))


def collect(
    space: SearchSpace,
    count: int,
    seed: int,
    path: Path,
    checkpoint: str,
    measure: Callable[[Architecture], Quality],
    on_sample: Callable[[int, int], None] = lambda _, __: None,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    stratified: bool = True,
) -> list[Sample]:
    """Measures sub-networks, one line of JSON each, continuing where an earlier run stopped.

    Args:
        space: the search space.
        count: number of samples M.
        seed: chooses the architectures.
        path: the file, appended to after every sample, by the first rank alone.
        checkpoint: the digest of the checkpoint that is measured.
        measure: calibrates a sub-network and measures it on the validation split.
        on_sample: called with the number of samples so far and the count.
        ranks: the processes that share the work: each measures a sample at a time.
        stratified: see :func:`sampled`.

    Raises:
        ValueError: the file holds something else, or samples of another checkpoint or seed.
    """

    def drawn(index: int) -> Architecture:
        return sampled(space, seed, index, stratified)

    samples = ranks.from_first(lambda: _read(space, drawn, path, checkpoint)[:count])

    def sample(index: int) -> Sample:
        architecture = drawn(index)
        return Sample(architecture, measure(architecture))

    for measured in ranks.in_turns(count, sample, start=len(samples)):
        if ranks.first:
            _append(path, checkpoint, measured)
        samples.append(measured)
        on_sample(len(samples), count)
    return samples


def _append(path: Path, checkpoint: str, sample: Sample) -> None:
    line = {
        "checkpoint": checkpoint,
        "channels": sample.architecture.as_dict(),
        "losses": sample.quality.losses,
        "metrics": sample.quality.metrics,
    }
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read(
    space: SearchSpace, drawn: Callable[[int], Architecture], path: Path, checkpoint: str
) -> list[Sample]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return []
    content = path.read_bytes()
    # An interruption can leave half a line, which the next sample must not be appended to.
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    samples = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
            architecture = space.from_channels(entry["channels"])
            samples.append(Sample(architecture, Quality(entry["losses"], entry["metrics"])))
            measured = entry["checkpoint"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}, is not a sample of this model: {error}"
            ) from error
        if measured != checkpoint:
            raise ValueError(
                f"{path} holds samples of a network that has since been trained again; remove it, "
                "and measure this one"
            )
        if architecture != drawn(number - 1):
            raise ValueError(f"{path} holds samples of another seed or space; remove it first")
    return samples
