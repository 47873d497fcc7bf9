"""The accuracy predictor: the network that learns from measured sub-networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau  # type: ignore[import-untyped]
from torch import Tensor, nn

from model_store.subnet.predictor import HIDDEN, AccuracyPredictor
from model_store.subnet.space import SearchSpace
from training.evaluate import Quality
from training.recipe import PredictorConfig
from training.samples import Sample
from training.surrogate import answered, imagined


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

    def standardise(
        self,
        mean_G: NDArray[np.float64],
        std_G: NDArray[np.float64],
        mean_Q: NDArray[np.float64],
        std_Q: NDArray[np.float64],
    ) -> None:
        """Remembers in which units the samples' ratios and quantities are."""
        for name, values in (
            ("mean_G", mean_G),
            ("std_G", std_G),
            ("mean_Q", mean_Q),
            ("std_Q", std_Q),
        ):
            getattr(self, name).copy_(torch.from_numpy(values))

    def forward(self, x_PG: Tensor) -> Tensor:
        """Standardised quantities [P, Q] of standardised width ratios [P, G]."""
        values_PQ: Tensor = self.heads(self.model(x_PG))
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
    show: Callable[[str, int, int], None] = lambda _, __, ___: None,
) -> tuple[dict[str, NDArray[np.float32]], PredictorQuality]:
    """Trains the predictor (ECMT Sec. 5: L1) and judges it on every tenth sample.

    The paper has thousands of samples, and learns from them directly
    (:meth:`PredictorConfig.as_published`). Of hundreds, it learns what Gaussian processes make of
    them (:mod:`training.surrogate`), which are fitted to the same nine tenths.

    Args:
        space: the search space.
        tasks: the tasks.
        samples: measured sub-networks.
        config: how it is trained.
        seed: of the initial weights, the order of batches, and the imagined sub-networks.
        show: shown the progress: what is done, how much of it, and of how much.

    Returns:
        The tensors to publish and the quality on the held-out samples.

    Raises:
        ValueError: there are fewer than 20 samples.
    """
    if len(samples) < 20:
        raise ValueError(f"at least 20 samples are needed to fit a predictor, found {len(samples)}")
    held_out = np.arange(len(samples)) % 10 == 9
    channels_PG = np.array([s.architecture.channels for s in samples], dtype=np.int64)
    ratios_PG = space.ratios_of(channels_PG)
    values_PQ = np.array([_quantities(s.quality, tasks) for s in samples])
    x_MG, y_MQ = ratios_PG[~held_out], values_PQ[~held_out]
    # A group of one width does not vary, and a task that no width changes has no spread; neither
    # must divide by zero.
    mean_G, std_G = x_MG.mean(axis=0), x_MG.std(axis=0, ddof=1).clip(min=1e-3)
    mean_Q, std_Q = y_MQ.mean(axis=0), y_MQ.std(axis=0, ddof=1).clip(min=1e-6)
    x_PG, y_PQ = (x_MG - mean_G) / std_G, (y_MQ - mean_Q) / std_Q
    if config.imagined:
        more_PG = imagined(space, config.imagined, np.random.default_rng(seed))
        asked_PG = np.concatenate([x_PG, (more_PG - mean_G) / std_G])
        y_PQ = answered(
            space, tasks, x_PG, y_PQ, asked_PG, lambda n, of: show("Gaussian processes", n, of)
        )
        x_PG = asked_PG
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PredictorNetwork(len(space.groups), y_MQ.shape[1])
    network.standardise(mean_G, std_G, mean_Q, std_Q)
    _train(network, x_PG, y_PQ, config, seed, show)
    tensors = network.tensors()
    published = AccuracyPredictor.from_tensors(tensors, tasks, len(space.groups))
    losses_PN, metrics_PN = published.predict(ratios_PG[held_out])
    true_losses, true_metrics = np.split(values_PQ[held_out], 2, axis=1)
    return tensors, PredictorQuality(
        samples=int((~held_out).sum()),
        held_out=int(held_out.sum()),
        loss_tau=dict(_taus(tasks, losses_PN, true_losses)),
        loss_mae=dict(_errors(tasks, losses_PN, true_losses)),
        metric_tau=dict(_taus(tasks, metrics_PN, true_metrics)),
        metric_mae=dict(_errors(tasks, metrics_PN, true_metrics)),
    )


def _train(
    network: PredictorNetwork,
    x_PG: NDArray[np.float64],
    y_PQ: NDArray[np.float64],
    config: PredictorConfig,
    seed: int,
    show: Callable[[str, int, int], None],
) -> None:
    """Learns standardised quantities of standardised ratios."""
    x, y = torch.from_numpy(x_PG).float(), torch.from_numpy(y_PQ).float()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    steps = config.epochs * -(-len(x) // config.batch_size)
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        if config.schedule == "cosine"
        else torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    )
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(config.epochs):
        order = torch.randperm(len(x), generator=generator)
        for batch in torch.split(order, config.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.l1_loss(network(x[batch]), y[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        show("accuracy predictor", epoch + 1, config.epochs)


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
