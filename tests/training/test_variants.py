"""Variants of a recipe: what is trained, on what, and into which folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import commanded_recipe
from tests.training.data.cifar_files import write_cifar
from tests.training.tiny import Noise, classifying, dense, network_of
from training.configs import caltech100, rooms
from training.data.load import load
from training.sandwich import accumulate_gradients, sandwich
from training.supernet import cost_model
from training.tasks import IGNORE
from training.variants import RunName, varied


@pytest.mark.parametrize(
    ("name", "folder", "options"),
    [
        (RunName("rooms"), "rooms", "rooms"),
        (RunName("rooms", seed=2), "rooms-seed2", "rooms --seed 2"),
        (RunName("rooms", "static"), "rooms-static", "rooms --variant static"),
        (
            RunName("rooms", "single:depth", 1),
            "rooms-single-depth-seed1",
            "rooms --variant single:depth --seed 1",
        ),
        (RunName("kitchens", called="own"), "kitchens", "own"),
    ],
)
def test_a_run_folder_says_what_was_trained(name: RunName, folder: str, options: str) -> None:
    assert (name.folder, name.options) == (folder, options)


def test_another_seed_has_the_same_data(tmp_path: Path) -> None:
    write_cifar(tmp_path, count=30)
    recipe = commanded_recipe()
    other = RunName("tiny", seed=5).applied(recipe)
    assert (other.seed, recipe.seed) == (5, 3)
    ours, theirs = load(recipe, tmp_path), load(other, tmp_path)
    assert torch.equal(ours.validation.indices, theirs.validation.indices)


@pytest.mark.parametrize("make", [classifying, dense])
def test_a_static_network_is_the_full_one_and_costs_one_pass(make: object) -> None:
    recipe = make()  # type: ignore[operator]
    static = varied(recipe, "static")
    whole, alone = cost_model(recipe.network), cost_model(static.network)
    assert alone.space.largest() == alone.space.smallest() == whole.space.largest()
    assert alone.of(alone.space.largest()) == whole.of(whole.space.largest())
    rng = np.random.default_rng(0)
    assert sandwich(alone.space, static.training.sandwich, rng) == [alone.space.largest()]
    # Everything else is the recipe's.
    same = replace(
        static,
        network=replace(static.network, ratios=recipe.network.ratios),
        training=replace(static.training, sandwich=4, distillation=recipe.training.distillation),
    )
    assert same == recipe


def test_a_static_step_is_plain_training() -> None:
    """The gradients are those of the loss of the full network, and of nothing else."""
    static = varied(classifying(), "static")
    network, plain = network_of(static), network_of(static)
    batch = Noise.of(static, 8).batch(torch.arange(8))
    full = network.space.largest()
    accumulate_gradients(network, batch.images_NCHW, batch.targets, [full], static.training)
    with torch.autocast("cpu", torch.bfloat16):
        raw = plain(batch.images_NCHW, full).raw
    losses = [
        t.weight
        * torch.nn.functional.cross_entropy(
            raw[t.name].float(), batch.targets[t.name], ignore_index=IGNORE
        )
        for t in static.network.tasks
    ]
    sum(losses).backward()  # type: ignore[union-attr]
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_single_task_network_has_one_decoder() -> None:
    network = network_of(varied(dense(), "single:depth"))
    assert list(network.decoders) == ["depth"]


def test_a_single_task_sees_its_own_images_alone(tmp_path: Path) -> None:
    write_cifar(tmp_path, count=40)
    recipe = varied(commanded_recipe(), "single:flowers")
    whole, mine = load(commanded_recipe(), tmp_path), load(recipe, tmp_path)
    assert (len(mine.train) + len(mine.validation), len(mine.test)) == (20, 20)
    targets = mine.test.batch(torch.arange(20)).targets
    assert set(targets) == {"flowers"}
    labels = whole.test.batch(torch.arange(40)).targets["flowers"]
    assert torch.equal(targets["flowers"], labels[labels != IGNORE])


def test_a_single_task_takes_as_many_steps_for_a_fraction_of_the_images() -> None:
    """A twentieth of the images in batches of a twentieth, but not below what batch norm needs."""
    assert caltech100().training.batch_size == 256
    assert varied(caltech100(), "single:crab-cup").training.batch_size == 16
    assert varied(rooms(), "single:depth").training == varied(rooms(), "static").training


def test_no_distillation_changes_nothing_else() -> None:
    made = varied(rooms(), "no-distillation")
    assert made.training.distillation == 0.0
    again = replace(made.training, distillation=rooms().training.distillation)
    assert replace(made, training=again) == rooms()


def test_the_papers_supernet_draws_every_width_independently_and_changes_nothing_else() -> None:
    assert rooms().training.sampling == "stratified"
    made = varied(rooms(), "paper")
    assert made.training.sampling == "independent"
    again = replace(made.training, sampling="stratified")
    assert replace(made, training=again) == rooms()


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (
            "frozen",
            "unknown variant 'frozen'; there are static, no-distillation, paper and single:TASK",
        ),
        ("single:sound", "no task 'sound'; it has semseg, depth, normals, edges, saliency"),
    ],
)
def test_unknown_variants_are_refused(variant: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        varied(rooms(), variant)
