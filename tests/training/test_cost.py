"""The closed-form cost against torch's own counter, which watches the operators that run."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from model_store.subnet.space import Architecture
from tests.training.tiny import MAKERS, classifying, dense, some
from training.configs import caltech100, cifar100, rooms
from training.loop import build
from training.recipe import Recipe
from training.supernet import SuperNet, cost_model


@torch.no_grad()
def counted(network: SuperNet, architecture: Architecture, tasks: tuple[str, ...]) -> int:
    """MACs of the extracted network with only these decoders.

    The counter counts two operations a MAC; and two images, since batch norm needs two.
    """
    subnet = network.extract(architecture)
    for task in set(network.space.tasks) - set(tasks):
        del subnet.decoders[task]
    config = network.config
    with FlopCounterMode(display=False) as counter:
        subnet(torch.rand(2, 3, config.height, config.width), subnet.space.largest())
    return int(counter.get_total_flops()) // 4


@pytest.mark.parametrize("make", MAKERS)
def test_the_cost_is_that_of_the_operators_that_run(make: Callable[[], Recipe]) -> None:
    recipe = make()
    # Not square, so that height and width cannot be confused.
    recipe = replace(recipe, network=replace(recipe.network, height=32, width=64))
    network, cost = build(recipe), cost_model(recipe.network)
    tasks = network.space.tasks
    architectures = [network.space.largest(), network.space.smallest()]
    architectures += [some(network, seed) for seed in range(4)]
    for index, architecture in enumerate(architectures):
        subset = tasks[: 1 + index % len(tasks)]
        assert cost.for_tasks(subset).of(architecture) == counted(network, architecture, subset)
        assert cost.of(architecture) == counted(network, architecture, tasks)


def test_without_decoders_the_encoder_remains() -> None:
    network, cost = build(dense()), cost_model(dense().network)
    smallest = network.space.smallest()
    assert cost.for_tasks(()).of(smallest) == counted(network, smallest, ())


def test_caltech100_is_the_network_of_the_paper() -> None:
    """ResNet-9 of base width 28 with 20 heads at 32x32; ECMT reports 72.92 MMACs."""
    cost = cost_model(caltech100().network)
    assert cost.of(cost.space.largest()) / 1e6 == pytest.approx(73.05, rel=1e-3)
    cifar = cost_model(cifar100().network)
    assert cifar.of(cifar.space.largest()) == cost.of(cost.space.largest())


def test_the_cost_by_hand_of_a_linear_head() -> None:
    cost = cost_model(classifying().network)
    smallest = cost.space.smallest()
    encoder = cost.for_tasks(()).of(smallest)
    # Three classes read the 16 features of the smallest layer3.
    assert cost.for_tasks(("animals",)).of(smallest) - encoder == 3 * 16


def test_rooms_can_be_cut_to_a_third_of_its_cost() -> None:
    cost = cost_model(rooms().network)
    assert cost.of(cost.space.smallest()) < cost.of(cost.space.largest()) / 3
