"""What a rendered sample promises, and how its targets fit together."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from training.data.rooms import CLASSES, PALETTE, Sample, render
from training.data.rooms.classes import FURNITURE

SIZE = 64


@cache
def rooms() -> tuple[Sample, ...]:
    return tuple(render(seed, SIZE, SIZE) for seed in range(60))


def planes(sample: Sample) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    return list(vars(sample).values())


def test_the_same_seed_gives_the_same_pixels() -> None:
    for first, second in zip(planes(render(5, 48, 48)), planes(render(5, 48, 48)), strict=True):
        np.testing.assert_array_equal(first, second)


def test_different_seeds_give_different_rooms() -> None:
    images = {sample.image_HWC.tobytes() for sample in rooms()}
    depths = {sample.depth_HW.tobytes() for sample in rooms()}
    assert len(images) == len(depths) == len(rooms())


def test_shapes_and_types() -> None:
    sample = render(0, 40, 56)
    assert [(p.shape, p.dtype.name) for p in planes(sample)] == [
        ((40, 56, 3), "uint8"),
        ((40, 56), "uint8"),
        ((40, 56), "float32"),
        ((40, 56, 3), "float32"),
        ((40, 56), "uint8"),
        ((40, 56), "uint8"),
    ]


def test_128_pixels_is_the_default() -> None:
    assert render(0).image_HWC.shape == (128, 128, 3)


def test_every_pixel_has_a_class_and_a_depth_within_a_room() -> None:
    for sample in rooms():
        assert sample.semseg_HW.max() < len(CLASSES)
        assert sample.depth_HW.min() > 0.5
        assert sample.depth_HW.max() < 8.0


def test_every_class_is_seen_often_and_takes_its_share_of_the_pixels() -> None:
    classes = np.stack([sample.semseg_HW for sample in rooms()])
    for index, name in enumerate(CLASSES):
        pixels = classes == index
        assert pixels.any(axis=(1, 2)).mean() > 0.3, name
        assert pixels.mean() > 0.007, name


def test_every_class_has_a_colour_of_its_own() -> None:
    assert len(set(PALETTE)) == len(PALETTE) == len(CLASSES)


def test_edges_run_along_every_change_of_class() -> None:
    for sample in rooms():
        below = sample.semseg_HW[1:] != sample.semseg_HW[:-1]
        beside = sample.semseg_HW[:, 1:] != sample.semseg_HW[:, :-1]
        edge = sample.edges_HW.astype(bool)
        assert (edge[1:] & edge[:-1])[below].all()
        assert (edge[:, 1:] & edge[:, :-1])[beside].all()


def test_no_edge_within_the_bare_ceiling() -> None:
    for sample in rooms():
        ceiling = sample.semseg_HW == CLASSES.index("ceiling")
        inner = ceiling.copy()
        inner[1:] &= ceiling[:-1]
        inner[:-1] &= ceiling[1:]
        inner[:, 1:] &= ceiling[:, :-1]
        inner[:, :-1] &= ceiling[:, 1:]
        assert not sample.edges_HW[inner].any()


def test_the_salient_object_is_one_piece_of_furniture_bounded_by_edges() -> None:
    furniture = [CLASSES.index(name) for name in FURNITURE]
    for sample in rooms():
        salient = sample.saliency_HW.astype(bool)
        (label,) = np.unique(sample.semseg_HW[salient])
        assert label in furniture
        border = salient[:, 1:] != salient[:, :-1]
        edge = sample.edges_HW.astype(bool)
        assert (edge[:, 1:] & edge[:, :-1])[border].all()


def test_images_are_exposed_to_use_the_range() -> None:
    for sample in rooms():
        assert 60 < sample.image_HWC.mean() < 230
        assert sample.image_HWC.std() > 12


def test_colour_alone_does_not_give_furniture_away() -> None:
    images = np.concatenate([sample.image_HWC.reshape(-1, 3) for sample in rooms()])
    classes = np.concatenate([sample.semseg_HW.ravel() for sample in rooms()])
    labels = [CLASSES.index(name) for name in sorted(FURNITURE)]
    means = np.stack([images[classes == label].mean(axis=0) for label in labels])
    of_each = [images[classes == label][::50] for label in labels]
    hits = [
        (np.linalg.norm(pixels[:, None] - means, axis=-1).argmin(axis=1) == index).mean()
        for index, pixels in enumerate(of_each)
    ]
    assert np.mean(hits) < 0.5  # of seven classes, by the nearest mean colour


@pytest.mark.parametrize(("height", "width"), [(15, 64), (64, 0)])
def test_too_small_an_image_is_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="at least 16 pixels"):
        render(0, height, width)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        render(-1)
