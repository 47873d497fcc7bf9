"""Splits, epochs and subsets."""

import pytest
import torch

from tests.training.tiny import Noise, classifying
from training.data.source import Batch, in_order, shuffled, split

SOURCE = Noise.of(classifying(), 30)


def identity(images_NCHW: torch.Tensor) -> list[float]:
    """Something that tells the images of a batch apart."""
    return [round(float(i.double().mean()), 9) for i in images_NCHW]


def everyone() -> list[float]:
    return identity(SOURCE.batch(torch.arange(30)).images_NCHW)


class Plain(Noise):
    """Without augmentation, so that images can be recognised."""

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:  # noqa: ARG002
        return batch


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


def test_an_epoch_sees_every_image_at_most_once_and_no_incomplete_batch() -> None:
    source = Plain(SOURCE.images_NHWC, SOURCE.targets)
    batches = list(shuffled(source, 8, torch.Generator().manual_seed(0)))
    assert [len(b.images_NCHW) for b in batches] == [8, 8, 8]
    seen = [i for b in batches for i in identity(b.images_NCHW)]
    assert len(set(seen)) == 24
    assert set(seen) < set(everyone())
    assert seen != everyone()[:24]


def test_an_epoch_follows_its_generator() -> None:
    first, again, other = (
        identity(next(shuffled(SOURCE, 8, torch.Generator().manual_seed(s))).images_NCHW)
        for s in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(("size", "batches"), [(7, 5), (30, 1), (64, 1)])
def test_in_order_sees_everything_once(size: int, batches: int) -> None:
    found = list(in_order(SOURCE, size))
    assert len(found) == batches
    assert [i for b in found for i in identity(b.images_NCHW)] == everyone()
    assert torch.equal(torch.cat([b.targets["flowers"] for b in found]), SOURCE.targets["flowers"])
