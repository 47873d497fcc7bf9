"""Splits, epochs and subsets."""

import pytest
import torch

from tests.training.tiny import Noise, classifying
from training.data.source import in_order, split

SOURCE = Noise.of(classifying(), 30)


def identity(images_NCHW: torch.Tensor) -> list[float]:
    """Something that tells the images of a batch apart."""
    return [round(float(i.double().mean()), 9) for i in images_NCHW]


def everyone() -> list[float]:
    return identity(SOURCE.batch(torch.arange(30)).images_NCHW)


def test_a_split_deals_out_every_image_once() -> None:
    training, validation = split(SOURCE, 0.1, seed=5)
    assert (len(training), len(validation)) == (27, 3)
    assert sorted([*training.indices.tolist(), *validation.indices.tolist()]) == list(range(30))


def test_a_split_follows_its_seed() -> None:
    first, again, other = (split(SOURCE, 0.1, seed)[1].indices.tolist() for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_subset_answers_for_its_own_images() -> None:
    _, validation = split(SOURCE, 0.2, seed=0)
    positions = torch.tensor([3, 1])
    batch = validation.batch(positions)
    chosen = validation.indices[positions]
    assert torch.equal(batch.images_NCHW, SOURCE.batch(chosen).images_NCHW)
    assert torch.equal(batch.targets["animals"], SOURCE.targets["animals"][chosen])
    assert torch.equal(validation.pixels(positions), SOURCE.images_NHWC[chosen])


def test_the_same_images_in_the_same_order_have_one_identity() -> None:
    """Parts of a split are told apart, and so are splits of other images."""
    parts = [*split(SOURCE, 0.1, 5), split(Noise.of(classifying(), 30, seed=1), 0.1, 5)[0]]
    assert len({part.identity() for part in parts}) == 3
    assert split(Noise.of(classifying(), 30), 0.1, 5)[0].identity() == parts[0].identity()


@pytest.mark.parametrize(("size", "batches"), [(7, 5), (30, 1), (64, 1)])
def test_in_order_sees_everything_once(size: int, batches: int) -> None:
    found = list(in_order(SOURCE, size))
    assert len(found) == batches
    assert [i for b in found for i in identity(b.images_NCHW)] == everyone()
    assert torch.equal(torch.cat([b.targets["flowers"] for b in found]), SOURCE.targets["flowers"])
