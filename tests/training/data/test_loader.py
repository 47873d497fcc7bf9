"""Batches: every image at most once, and the same whoever makes them, wherever they begin."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch

from tests.training.tiny import Noise, classifying
from training.data.loader import Loader
from training.data.source import Batch

SOURCE = Noise.of(classifying(), 70)
BATCH = 20
"""More than the parts of a batch, and not a multiple of them."""


class Plain(Noise):
    """Without augmentation, so that images can be recognised."""

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:  # noqa: ARG002
        return batch


class Broken(Noise):
    """Fifteen images of which cannot be read: more than an epoch drops."""

    def batch(self, indices_N: torch.Tensor) -> Batch:
        if (indices_N < 15).any():
            raise ValueError("5.png is truncated")
        return super().batch(indices_N)


def loader(images: range = range(BATCH), workers: int = 1, source: Noise = SOURCE) -> Loader:
    return Loader(source, BATCH, 3, images, workers)


def assert_same(found: Iterator[Batch], expected: Iterator[Batch]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.images_NCHW, theirs.images_NCHW)
        for task, target in theirs.targets.items():
            assert torch.equal(ours.targets[task], target)


def test_an_epoch_sees_every_image_at_most_once_and_no_incomplete_batch() -> None:
    source = Plain(SOURCE.images_NHWC, {"index": torch.arange(70)})
    batches = list(loader(source=source).epoch(0))
    assert [len(b.images_NCHW) for b in batches] == [BATCH] * 3 == [BATCH] * loader().steps
    seen = torch.cat([b.targets["index"] for b in batches])
    assert len(set(seen.tolist())) == 60
    assert seen.tolist() != sorted(seen.tolist())
    images_NCHW = torch.cat([b.images_NCHW for b in batches])
    assert torch.equal(images_NCHW, source.batch(seen).images_NCHW)


def test_epochs_differ_and_repeat() -> None:
    first, other = (next(loader().epoch(e)).images_NCHW for e in (0, 1))
    assert not torch.equal(first, other)
    assert_same(loader().epoch(0), loader().epoch(0))


def test_images_are_augmented_one_by_one() -> None:
    """The noise that is added differs from part to part, step to step and epoch to epoch."""
    one_image = Noise(SOURCE.images_NHWC[:1].expand(70, -1, -1, -1), SOURCE.targets)
    seen = [b.images_NCHW for e in (0, 1) for b in loader(source=one_image).epoch(e)]
    different = {image.numpy().tobytes() for image in torch.cat(seen)}
    assert len(different) == 2 * 3 * BATCH


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_nothing(workers: int) -> None:
    assert_same(loader(workers=workers).epoch(2), loader().epoch(2))


@pytest.mark.parametrize("first", [1, 2, 3])
def test_an_epoch_can_be_begun_anywhere(first: int) -> None:
    expected = list(loader().epoch(1))[first:]
    assert_same(loader().epoch(1, first), iter(expected))


@pytest.mark.parametrize("cuts", [(0, 10, 20), (0, 7, 13, 20), (0, 1, 19, 20)])
def test_ranks_hold_the_parts_of_one_batch(cuts: tuple[int, ...]) -> None:
    parts = [loader(range(a, b), workers=2).epoch(0) for a, b in pairwise(cuts)]
    for whole, *pieces in zip(loader().epoch(0), *parts, strict=True):
        images_NCHW = torch.cat([p.images_NCHW for p in pieces])
        assert torch.equal(images_NCHW, whole.images_NCHW)
        for task, target in whole.targets.items():
            assert torch.equal(torch.cat([p.targets[task] for p in pieces]), target)


def test_an_image_that_cannot_be_read_ends_the_epoch() -> None:
    broken = Broken(SOURCE.images_NHWC, SOURCE.targets)
    with pytest.raises(ValueError, match=r"5\.png is truncated"):
        list(loader(source=broken, workers=2).epoch(0))


def test_an_epoch_that_is_left_leaves_no_threads() -> None:
    batches = loader(workers=2).epoch(0)
    next(batches)
    assert any(t.name.startswith("loader") for t in threading.enumerate())
    batches.close()  # type: ignore[attr-defined]
    assert not any(t.name.startswith("loader") for t in threading.enumerate())


def test_too_few_images_for_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="19 images do not fill one batch of 20"):
        loader(source=Noise.of(classifying(), 19))
