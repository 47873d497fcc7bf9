"""What the random transforms draw."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.data.augment import Transforms, augmented, erased
from training.data.source import Batch

FILL = torch.tensor([0.25, 0.5, 0.75])
N = 64


def batch() -> Batch:
    depth_NHW = torch.full((N, 8, 8), 6.0)
    return Batch(torch.ones(N, 3, 8, 8), {"depth": depth_NHW}, torch.ones(N))


def after(seed: int = 0, **changes: Any) -> Batch:  # noqa: ANN401 - fields of Transforms
    transforms = Transforms(**changes)
    generator = torch.Generator().manual_seed(seed)
    return augmented(batch(), transforms, {"depth": "depth"}, FILL, generator)


def holes(images_NCHW: Tensor) -> Tensor:
    return (images_NCHW == FILL.view(1, 3, 1, 1)).all(dim=1)


def test_one_of_the_scales_is_drawn_and_the_view_stays_covered() -> None:
    depth_NHW = after(scales=(1.0, 1.2, 1.5)).targets["depth"]
    found = {round(float(d), 4) for d in depth_NHW.flatten()}
    assert found == {6.0, 5.0, 4.0}


def test_a_range_of_scales_is_drawn_from_uniformly() -> None:
    depth_N = after(scale_range=(0.75, 1.25)).targets["depth"][:, 4, 4]
    scale_N = 6.0 / depth_N
    assert 0.75 <= float(scale_N.min()) < 0.85
    assert 1.15 < float(scale_N.max()) <= 1.25


def test_the_same_generator_draws_the_same() -> None:
    changes = {"scales": (1.0, 1.5), "degrees": 20.0, "erase": 0.5}
    first, again, other = after(0, **changes), after(0, **changes), after(1, **changes)
    assert torch.equal(first.images_NCHW, again.images_NCHW)
    assert torch.equal(first.targets["depth"], again.targets["depth"])
    assert not torch.equal(first.images_NCHW, other.images_NCHW)


def test_half_of_the_images_lose_a_rectangle_and_no_target_does() -> None:
    found = after(erase=0.5, mirror=0.0)
    share = float(holes(found.images_NCHW).any(dim=(1, 2)).float().mean())
    assert 0.3 < share < 0.7
    assert (found.targets["depth"] == 6.0).all()


@settings(max_examples=20, derandomize=True)
@given(st.integers(0, 10_000))
def test_what_is_erased_is_a_rectangle_of_the_published_sizes(seed: int) -> None:
    images_NCHW = torch.ones(16, 3, 40, 60)
    hole_NHW = holes(erased(images_NCHW, 1.0, FILL, torch.Generator().manual_seed(seed)))
    for hole_HW in hole_NHW:
        rows, columns = hole_HW.any(dim=1), hole_HW.any(dim=0)
        assert torch.equal(hole_HW, rows[:, None] & columns)
        for span in (rows, columns):
            places = span.nonzero().flatten()
            assert len(places) == int(places[-1] - places[0]) + 1
        # Cut to the image, and rounded to whole pixels.
        assert 0.01 < float(hole_HW.float().mean()) < 0.45
