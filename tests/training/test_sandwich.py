"""One training step: which networks it trains, on what, and what reaches which weights."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.subnet.space import Architecture
from tests.training.tiny import Noise, classifying, dense, network_of, some
from training.configs import rooms
from training.data.source import Batch
from training.evaluate import normalise
from training.recipe import Sampling, TrainingConfig
from training.sandwich import accumulate_gradients, sandwich, stratified
from training.supernet import SuperNet, search_space
from training.tasks import task_loss


def taught(distillation: float) -> TrainingConfig:
    return replace(classifying().training, distillation=distillation)


KD = taught(0.3)


@pytest.fixture
def network() -> SuperNet:
    return network_of(classifying())


def batch_of(network: SuperNet, count: int = 8) -> Batch:
    batch = Noise.of(replace(classifying(), network=network.config), count).batch(
        torch.arange(count)
    )
    return Batch(normalise(network.config, batch.images_NCHW), batch.targets)


def collective(
    network: SuperNet, raw: dict[str, Tensor], targets: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_co = Σ ρ_n L_n (Eq. 1), and the losses by task; every task has ground truth here."""
    total, by_task = torch.zeros(()), {}
    for task in network.config.tasks:
        loss = task_loss(task, raw[task.name], targets[task.name])
        assert loss is not None
        total, by_task[task.name] = total + task.weight * loss, loss
    return total, by_task


def step(
    network: SuperNet, architectures: Sequence[Architecture], config: TrainingConfig
) -> dict[str, Tensor]:
    """The gradients of one step, by parameter; zero where there is none."""
    network.zero_grad()
    batch = batch_of(network)
    x_NCHW = batch.images_NCHW.to(next(network.parameters()).dtype)
    accumulate_gradients(network, x_NCHW, batch.targets, architectures, config)
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in network.named_parameters()
    }


@pytest.mark.parametrize("b", [2, 3, 4, 7])
def test_a_sandwich_is_the_largest_random_ones_and_the_smallest(b: int) -> None:
    space = network_of(classifying()).space
    networks = sandwich(space, b, np.random.default_rng(0))
    assert len(networks) == b
    assert (networks[0], networks[-1]) == (space.largest(), space.smallest())
    filling = networks[1:-1]
    assert len(set(filling)) == len(filling)
    for architecture in filling:
        ratios = {architecture[g.name] / g.full for g in space.groups}
        assert len(ratios) > 1, "widths are not uniform"


@pytest.mark.parametrize("sampling", ["independent", "stratified"])
def test_a_sandwich_follows_its_generator(sampling: Sampling) -> None:
    space = network_of(classifying()).space
    rng = np.random.default_rng(0)
    first, second = sandwich(space, 4, rng, sampling), sandwich(space, 4, rng, sampling)
    assert first == sandwich(space, 4, np.random.default_rng(0), sampling)
    assert first[1:-1] != second[1:-1]


def shares(sampling: Sampling, of: str) -> list[float]:
    """Mean width ratio of the encoder's, or of the decoders', groups in many random networks."""
    space, rng = search_space(rooms().network), np.random.default_rng(0)
    columns = list(space.decoders.values()) if of == "decoders" else list(space.encoder)
    drawn = [a for _ in range(500) for a in sandwich(space, 4, rng, sampling)[1:-1]]
    ratios_PG = space.ratios_of(np.array([a.channels for a in drawn]))
    means: list[float] = ratios_PG[:, columns].mean(axis=1).tolist()
    return means


def test_stratified_encoders_have_every_size_and_independent_ones_that_of_the_middle() -> None:
    """Ratios lie between 0.5 and 1, or a little above 0.5 where channel counts are rounded."""
    stratified, independent = (shares(s, "encoder") for s in ("stratified", "independent"))
    assert np.quantile(stratified, 0.1) < 0.6 < np.quantile(independent, 0.001)
    assert np.quantile(independent, 0.999) < 0.9 < np.quantile(stratified, 0.9)


def test_decoders_are_drawn_independently_either_way() -> None:
    stratified, independent = (shares(s, "decoders") for s in ("stratified", "independent"))
    assert np.mean(stratified) == pytest.approx(np.mean(independent), abs=0.01)
    assert np.std(stratified) == pytest.approx(np.std(independent), rel=0.1)


def test_decoders_do_not_follow_the_encoder() -> None:
    space, rng = search_space(rooms().network), np.random.default_rng(0)
    drawn = np.array([stratified(space, rng).channels for _ in range(2000)])
    ratios_PG = space.ratios_of(drawn)
    encoder = ratios_PG[:, list(space.encoder)].mean(axis=1)
    for decoder in space.decoders.values():
        assert abs(np.corrcoef(encoder, ratios_PG[:, decoder])[0, 1]) < 0.1


def test_the_gradients_are_the_sum_of_one_backward_pass_for_each_network(
    network: SuperNet,
) -> None:
    """Algorithm 1 spelled out: L_co of every network, and λ L_kd (Eq. 3) of every child.

    In float64, which autocast leaves alone: bfloat16 would hide a wrong factor.
    """
    network, space = network.double(), network.space
    architectures = [space.largest(), some(network, 0), some(network, 1), space.smallest()]
    x_NCHW, targets, _ = batch_of(network)
    parameters = dict(network.named_parameters())
    expected = {name: torch.zeros_like(p) for name, p in parameters.items()}
    teacher = torch.empty(0)
    for index, architecture in enumerate(architectures):
        raw, z_NCHW = network(x_NCHW.double(), architecture)
        averaged = z_NCHW.mean(dim=1)
        loss, _ = collective(network, raw, targets)
        if index == 0:
            teacher = averaged.detach()
        else:
            loss = loss + KD.distillation * ((averaged - teacher) ** 2).mean() / 3
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, gradients, strict=True):
            expected[name] += 0.0 if gradient is None else gradient
    found = step(network, architectures, KD)
    for name in expected:
        tolerance = 1e-5 * float(expected[name].abs().max())
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=tolerance)


def test_gradients_are_added_to_what_is_there(network: SuperNet) -> None:
    architectures = [network.space.largest(), network.space.smallest()]
    once = step(network, architectures, KD)
    accumulate_gradients(network, *batch_of(network)[:2], architectures, KD)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, 2 * once[name])


def test_distillation_does_not_reach_what_it_learns_from(network: SuperNet) -> None:
    """Weights that the smallest network lacks belong to the teacher alone."""
    smallest = network.space.smallest()
    architectures = [network.space.largest(), smallest]
    without, distilled = (step(network, architectures, taught(c)) for c in (0.0, 100.0))
    full, slices = network.space.full_channels, network.slices()
    changed = False
    for name, gradient in distilled.items():
        difference = (gradient - without[name]).abs()
        corner = tuple(
            slice(smallest[dim[0]] if dim and isinstance(dim[0], str) else None)
            for dim in slices[name]
        )
        changed |= bool(difference[corner].max() > 1e-3)
        difference[corner] = 0.0
        assert not difference.any(), name
    assert changed, "the smallest network is taught"
    assert all(smallest[group] < count for group, count in full.items())


def test_a_task_without_ground_truth_in_the_batch_has_no_loss(network: SuperNet) -> None:
    x_NCHW, targets, _ = batch_of(network)
    nowhere = targets | {"flowers": torch.full_like(targets["flowers"], 255)}
    losses = accumulate_gradients(network, x_NCHW, nowhere, [network.space.largest()] * 2, KD)
    assert np.isfinite(losses.largest)
    assert set(losses.tasks) == {"animals"}
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith("decoders.flowers."), name


def test_the_losses_are_reported(network: SuperNet) -> None:
    largest, smallest = network.space.largest(), network.space.smallest()
    batch = batch_of(network)
    found = accumulate_gradients(network, *batch[:2], [largest, smallest], KD)
    both = {}
    for architecture in (largest, smallest):
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            both[architecture] = network(batch.images_NCHW, architecture)
    for value, architecture in ((found.largest, largest), (found.smallest, smallest)):
        raw = both[architecture].raw
        expected, _ = collective(network, raw, batch.targets)
        assert value == pytest.approx(float(expected), rel=1e-3)
    means = [z.float().mean(dim=1) for _, z in both.values()]
    by_task = collective(network, both[largest].raw, batch.targets)[1]
    assert set(found.tasks) == set(by_task)
    for task, loss in by_task.items():
        assert found.tasks[task] == pytest.approx(float(loss), rel=1e-3)
    assert found.distillation == pytest.approx(float(F.mse_loss(*means)), rel=1e-2)


def test_a_network_taught_by_itself_has_nothing_to_learn() -> None:
    network = network_of(dense())
    largest = network.space.largest()
    losses = accumulate_gradients(network, *batch_of(network)[:2], [largest, largest], KD)
    assert losses.distillation == pytest.approx(0.0, abs=1e-6)
    assert losses.largest == pytest.approx(losses.smallest, rel=1e-3)
