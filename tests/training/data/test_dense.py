"""Rendered rooms as a training source. Mirrored scenes must still be scenes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.dense import Rooms
from training.data.rooms import CLASSES, Split, load_split
from training.data.source import Batch

SIZE = 64
COUNT = 6
FOCAL = 0.8 * SIZE
"""In pixels: a vertical field of view of 64 degrees."""


@pytest.fixture(scope="module")
def split() -> Split:
    return load_split("train", COUNT, 11, None, 1, None, height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def rooms(split: Split) -> Rooms:
    return Rooms(split)


def plain(rooms: Rooms) -> Batch:
    return rooms.batch(torch.arange(COUNT))


def augmented(rooms: Rooms, seed: int = 0) -> Batch:
    return rooms.augment(plain(rooms), torch.Generator().manual_seed(seed))


def mirrored(rooms: Rooms, batch: Batch) -> Tensor:
    """Which scenes of an augmented batch are mirrored, [N], by their depth."""
    depth_NHW = plain(rooms).targets["depth"]
    flips = [
        torch.equal(d, o.flip(-1)) for d, o in zip(batch.targets["depth"], depth_NHW, strict=True)
    ]
    same = [torch.equal(d, o) for d, o in zip(batch.targets["depth"], depth_NHW, strict=True)]
    assert [not f for f in flips] == same
    return torch.tensor(flips)


def angles_to_the_surface(
    depth_HW: NDArray[np.float64], normals_CHW: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Degrees between given normals and those of the surface through the depths, where it is flat.

    Pixels are projected back through the pinhole camera (x right, y down, z forward), and the
    surface's normal is the cross product of its tangents. Flat is where the given normals of the
    5x5 neighbourhood agree and the depth has no step.
    """
    grid = (np.arange(SIZE) + 0.5 - SIZE / 2) / FOCAL
    points_HWC = np.stack([grid[None] * depth_HW, grid[:, None] * depth_HW, depth_HW], axis=-1)
    inner = slice(2, -2)
    along_x = points_HWC[inner, 4:] - points_HWC[inner, :-4]
    along_y = points_HWC[4:, inner] - points_HWC[:-4, inner]
    surface = np.cross(along_x, along_y)
    surface /= np.linalg.norm(surface, axis=-1, keepdims=True)
    # Normals of visible surfaces point at the camera.
    surface *= -np.sign((surface * points_HWC[inner, inner]).sum(axis=-1, keepdims=True))
    given = normals_CHW.transpose(1, 2, 0)
    flat = np.ones((SIZE - 4, SIZE - 4), bool)
    for row in range(5):
        for column in range(5):
            window = (slice(row, row + SIZE - 4), slice(column, column + SIZE - 4))
            flat &= (given[window] * given[inner, inner]).sum(axis=-1) > 0.999
            ratio = depth_HW[window] / depth_HW[inner, inner]
            flat &= np.abs(np.log(ratio)) < 0.1
    cosine = (surface * given[inner, inner]).sum(axis=-1)[flat]
    degrees: NDArray[np.float64] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return degrees


def test_targets_have_the_shapes_and_ranges_that_the_losses_read(rooms: Rooms) -> None:
    images_NCHW, targets, _ = plain(rooms)
    assert images_NCHW.shape == (COUNT, 3, SIZE, SIZE)
    assert 0.0 <= images_NCHW.min() < images_NCHW.max() <= 1.0
    plane = (COUNT, SIZE, SIZE)
    assert {name: tuple(t.shape) for name, t in targets.items()} == {
        "semseg": plane,
        "depth": plane,
        "normals": (COUNT, 3, SIZE, SIZE),
        "edges": plane,
        "saliency": plane,
    }
    assert int(targets["semseg"].max()) < len(CLASSES)
    assert float(targets["depth"].min()) > 0.0
    torch.testing.assert_close(targets["normals"].norm(dim=1), torch.ones(plane))
    for task in ("edges", "saliency"):
        assert set(targets[task].flatten().tolist()) == {0, 1}
    assert all(targets[t].dtype == torch.int64 for t in ("semseg", "edges", "saliency"))


def test_pixels_are_the_rendered_images(rooms: Rooms, split: Split) -> None:
    found = rooms.pixels(torch.tensor([4, 0]))
    np.testing.assert_array_equal(found.numpy(), split.image_NHWC[[4, 0]])
    assert len(rooms) == COUNT


def test_rendered_normals_are_those_of_the_rendered_depth(rooms: Rooms) -> None:
    """Without augmentation: what the check below is worth."""
    targets = plain(rooms).targets
    for depth, normals in zip(targets["depth"].numpy(), targets["normals"].numpy(), strict=True):
        angles = angles_to_the_surface(depth.astype(np.float64), normals.astype(np.float64))
        assert angles.size > 300
        assert np.median(angles) < 2.0
        turned = normals.astype(np.float64) * np.array([-1.0, 1.0, 1.0])[:, None, None]
        wrong = angles_to_the_surface(depth.astype(np.float64), turned)
        assert wrong.mean() > 5.0


def test_mirrored_normals_are_those_of_the_mirrored_depth(rooms: Rooms) -> None:
    batch = augmented(rooms)
    chosen = mirrored(rooms, batch)
    assert chosen.any()
    assert not chosen.all()
    for index in torch.nonzero(chosen).flatten().tolist():
        depth = batch.targets["depth"][index].double().numpy()
        normals = batch.targets["normals"][index].double().numpy()
        assert np.median(angles_to_the_surface(depth, normals)) < 2.0


def test_all_targets_of_a_scene_are_mirrored_together(rooms: Rooms) -> None:
    before, after = plain(rooms).targets, augmented(rooms).targets
    chosen = mirrored(rooms, augmented(rooms))
    for task in ("semseg", "edges", "saliency", "depth", "normals"):
        for old, new, flipped in zip(before[task], after[task], chosen.tolist(), strict=True):
            expected = old.flip(-1) if flipped else old
            if task == "normals" and flipped:
                expected = expected * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
            assert torch.equal(new, expected)


def test_the_image_is_mirrored_with_its_targets_and_changes_in_brightness_alone(
    rooms: Rooms,
) -> None:
    before, batch = plain(rooms).images_NCHW, augmented(rooms)
    for old, new, flipped in zip(
        before, batch.images_NCHW, mirrored(rooms, batch).tolist(), strict=True
    ):
        x, y = (old.flip(-1) if flipped else old).flatten(), new.flatten()
        inside = (y > 0.0) & (y < 1.0)
        gain, shift = np.polyfit(x[inside].numpy(), y[inside].numpy(), 1)
        assert 0.8 <= gain <= 1.2
        assert abs(shift) <= 0.1 + 1e-6
        torch.testing.assert_close(
            (float(gain) * x + float(shift)).clamp(0, 1), y, rtol=0, atol=1e-4
        )


def test_augmentation_keeps_the_range_and_follows_its_generator(rooms: Rooms) -> None:
    first, again, other = (augmented(rooms, seed) for seed in (0, 0, 1))
    assert 0.0 <= first.images_NCHW.min() <= first.images_NCHW.max() <= 1.0
    assert torch.equal(first.images_NCHW, again.images_NCHW)
    assert torch.equal(first.targets["normals"], again.targets["normals"])
    assert not torch.equal(first.images_NCHW, other.images_NCHW)


def test_augmentation_leaves_the_batch_itself_alone(rooms: Rooms) -> None:
    batch, untouched = plain(rooms), plain(rooms)
    rooms.augment(batch, torch.Generator().manual_seed(0))
    assert torch.equal(batch.images_NCHW, untouched.images_NCHW)
    for name, target in batch.targets.items():
        assert torch.equal(target, untouched.targets[name])
