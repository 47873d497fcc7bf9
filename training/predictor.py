"""The accuracy predictor: measured sub-networks, and the network that learns from them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau  # type: ignore[import-untyped]
from torch import Tensor, nn

from model_store.subnet.predictor import HIDDEN, AccuracyPredictor
from model_store.subnet.space import Architecture, SearchSpace
from training.evaluate import Quality
from training.ranks import Ranks
from training.recipe import PredictorConfig


@dataclass(frozen=True)
class Sample:
    """A sub-network and its quality on the validation split."""

    architecture: Architecture
    quality: Quality


@dataclass(frozen=True)
class PredictorQuality:
    """How well held-out sub-networks are predicted, by task."""

    samples: int
    """Measured sub-networks the predictor learned from."""
    held_out: int
    """Measured sub-networks it is judged on."""
    loss_tau: dict[str, float]
    """Kendall's τ between predicted and measured losses."""
    loss_mae: dict[str, float]
    """Mean absolute error of the losses."""
    metric_tau: dict[str, float]
    metric_mae: dict[str, float]


def sampled(space: SearchSpace, seed: int, index: int) -> Architecture:
    """The index-th architecture to measure.

    Widths drawn independently make costs that crowd around their mean, since a sum of many draws
    does: the extremes that small and large budgets ask for would never be seen. So the samples are
    stratified by cost: each draws a level u ~ U(0, 1) first, then every group's choice from the
    binomial distribution around u, whose spread is that of non-uniform sub-networks. The first two
    samples are the smallest and the largest.
    """
    if index < 2:
        return (space.smallest(), space.largest())[index]
    rng = np.random.default_rng([seed, index])
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

    Raises:
        ValueError: the file holds something else, or samples of another checkpoint or seed.
    """
    samples = ranks.from_first(lambda: _read(space, seed, path, checkpoint)[:count])

    def sample(index: int) -> Sample:
        architecture = sampled(space, seed, index)
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


def _read(space: SearchSpace, seed: int, path: Path, checkpoint: str) -> list[Sample]:
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
        if architecture != sampled(space, seed, number - 1):
            raise ValueError(f"{path} holds samples of another seed or space; remove it first")
    return samples


class PredictorNetwork(nn.Module):
    """Algorithm 3's network: a trunk of 100, 100 and 50 units and one linear head per quantity.

    The quantities are the N task losses, which the search compares, and the N metrics, which
    people read; both in standard deviations from the mean of the training samples.
    """

    mean_G: Tensor
    std_G: Tensor
    mean_Q: Tensor
    std_Q: Tensor

    def __init__(self, groups: int, quantities: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((groups, *HIDDEN), HIDDEN, strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.model = nn.Sequential(*layers)
        self.heads = nn.Linear(HIDDEN[-1], quantities)
        self.register_buffer("mean_G", torch.zeros(groups))
        self.register_buffer("std_G", torch.ones(groups))
        self.register_buffer("mean_Q", torch.zeros(quantities))
        self.register_buffer("std_Q", torch.ones(quantities))

    def forward(self, ratios_PG: Tensor) -> Tensor:
        """Standardised quantities [P, Q] of width ratios [P, G]."""
        values_PQ: Tensor = self.heads(self.model((ratios_PG - self.mean_G) / self.std_G))
        return values_PQ

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The published form (:func:`model_store.subnet.predictor.tensor_shapes`).

        Its first layer reads ratios as they are: their standardisation is folded into it.
        """
        state = dict(self.state_dict())
        weight = state["model.0.weight"] / state.pop("std_G")
        state["model.0.bias"] = state["model.0.bias"] - weight @ state.pop("mean_G")
        state["model.0.weight"] = weight
        state["targets.mean"] = state.pop("mean_Q")
        state["targets.std"] = state.pop("std_Q")
        return {name: tensor.numpy() for name, tensor in state.items()}


def fit(
    space: SearchSpace,
    tasks: Sequence[str],
    samples: Sequence[Sample],
    config: PredictorConfig,
    seed: int,
) -> tuple[dict[str, NDArray[np.float32]], PredictorQuality]:
    """Trains the predictor (ECMT Sec. 5: L1) and judges it on every tenth sample.

    The paper has a constant learning rate and no weight decay, for thousands of samples
    (:meth:`PredictorConfig.as_published`); those defaults are for hundreds. Ratios are standardised
    for both.

    Returns:
        The tensors to publish and the quality on the held-out samples.
    """
    if len(samples) < 20:
        raise ValueError(f"at least 20 samples are needed to fit a predictor, found {len(samples)}")
    held_out = np.arange(len(samples)) % 10 == 9
    channels_PG = np.array([s.architecture.channels for s in samples], dtype=np.int64)
    ratios_PG = torch.from_numpy(space.ratios_of(channels_PG)).float()
    values_PQ = torch.tensor([_quantities(s.quality, tasks) for s in samples])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PredictorNetwork(len(space.groups), values_PQ.shape[1])
    network.mean_Q = values_PQ[~held_out].mean(dim=0)
    network.mean_G = ratios_PG[~held_out].mean(dim=0)
    # A group of one width does not vary.
    network.std_G = ratios_PG[~held_out].std(dim=0).clamp(min=1e-3)
    # A task that no width changes has no spread; it must not divide by zero.
    network.std_Q = values_PQ[~held_out].std(dim=0).clamp(min=1e-6)
    x, y = ratios_PG[~held_out], (values_PQ[~held_out] - network.mean_Q) / network.std_Q
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-len(x) // config.batch_size)
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        if config.schedule == "cosine"
        else torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(config.epochs):
        order = torch.randperm(len(x), generator=generator)
        for batch in torch.split(order, config.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.l1_loss(network(x[batch]), y[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    tensors = network.tensors()
    published = AccuracyPredictor.from_tensors(tensors, tasks, len(space.groups))
    losses_PN, metrics_PN = published.predict(space.ratios_of(channels_PG[held_out]))
    truth = [s.quality for s, out in zip(samples, held_out, strict=True) if out]
    true_losses = np.array([[q.losses[t] for t in tasks] for q in truth])
    true_metrics = np.array([[q.metrics[t] for t in tasks] for q in truth])
    return tensors, PredictorQuality(
        samples=int((~held_out).sum()),
        held_out=int(held_out.sum()),
        loss_tau=dict(_taus(tasks, losses_PN, true_losses)),
        loss_mae=dict(_errors(tasks, losses_PN, true_losses)),
        metric_tau=dict(_taus(tasks, metrics_PN, true_metrics)),
        metric_mae=dict(_errors(tasks, metrics_PN, true_metrics)),
    )


def _quantities(quality: Quality, tasks: Sequence[str]) -> list[float]:
    by_name: Sequence[Mapping[str, float]] = (quality.losses, quality.metrics)
    return [values[task] for values in by_name for task in tasks]


def _taus(
    tasks: Sequence[str], predicted_PN: NDArray[np.float64], true_PN: NDArray[np.float64]
) -> Iterator[tuple[str, float]]:
    for n, task in enumerate(tasks):
        yield task, float(np.nan_to_num(kendalltau(predicted_PN[:, n], true_PN[:, n]).statistic))


def _errors(
    tasks: Sequence[str], predicted_PN: NDArray[np.float64], true_PN: NDArray[np.float64]
) -> Iterator[tuple[str, float]]:
    for n, task in enumerate(tasks):
        yield task, float(np.abs(predicted_PN[:, n] - true_PN[:, n]).mean())
