"""Moved images and targets must still show one scene: properties over random motions."""

import math
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model_store.manifest import TaskKind
from training.data.geometry import Motion, moved
from training.data.source import Batch

HEIGHT, WIDTH = 24, 36
FILL = torch.tensor([0.1, 0.2, 0.3])
KINDS: dict[str, TaskKind] = {
    "semseg": "segmentation",
    "depth": "depth",
    "normals": "normals",
    "edges": "edges",
    "animals": "classification",
}

angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.5, 2.0)
aspects = st.floats(0.5, 2.0)
properties = settings(max_examples=30, derandomize=True)


def motion(
    mirror: bool = False,
    angle: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Motion:
    return Motion(
        torch.tensor([mirror]), torch.tensor([angle]), torch.tensor([scale]), torch.tensor([shift])
    )


def places(aspect: float) -> tuple[Tensor, Tensor]:
    """x to the right and y downwards of each pixel of the file, in half heights."""
    x = ((torch.arange(WIDTH) * 2 + 1) / WIDTH - 1) * aspect
    y = (torch.arange(HEIGHT) * 2 + 1) / HEIGHT - 1
    return x.expand(HEIGHT, WIDTH), y[:, None].expand(HEIGHT, WIDTH)


def tilted(gradient: tuple[float, float], aspect: float) -> Batch:
    """A plane whose depth rises linearly in the file's pixels, with its normal at each."""
    x, y = places(aspect)
    depth = 10 + gradient[0] * x + gradient[1] * y
    normal = torch.nn.functional.normalize(torch.tensor([*gradient, -1.0]), dim=0)
    targets = {
        "semseg": (x > 0).long()[None],
        "depth": depth[None],
        "normals": normal[:, None, None].expand(3, HEIGHT, WIDTH)[None].contiguous(),
        "edges": (y > 0).long()[None],
        "animals": torch.tensor([3]),
    }
    image = torch.stack([(x / aspect + 1) / 2, (y + 1) / 2, torch.full_like(x, 0.5)])
    return Batch(image[None], targets, torch.tensor([aspect]))


def slope(depth_HW: Tensor, aspect: float) -> tuple[float, float]:
    """The gradient of a plane's depth in the file's pixels, by least squares where it is valid."""
    x, y = places(aspect)
    valid = depth_HW > 0
    columns = [x[valid], y[valid], torch.ones(int(valid.sum()))]
    matrix = torch.stack(columns, dim=1).double().numpy()
    found: Any = np.linalg.lstsq(matrix, depth_HW[valid].double().numpy(), rcond=None)[0]
    return float(found[0]), float(found[1])


@properties
@given(angles, st.booleans(), st.floats(-2, 2), st.floats(-2, 2), aspects)
def test_normals_stay_those_of_the_surface_under_rotation_and_mirroring(
    angle: float, mirror: bool, gx: float, gy: float, aspect: float
) -> None:
    """The surface's normal, from the moved depth alone, is the moved normal: in the file's
    proportions, whatever the size it was resized to."""
    after = moved(tilted((gx, gy), aspect), motion(mirror, angle), KINDS, FILL)
    depth_HW, normals_CHW = after.targets["depth"][0], after.targets["normals"][0]
    dx, dy = slope(depth_HW, aspect)
    expected = np.array([dx, dy, -1.0]) / np.linalg.norm([dx, dy, -1.0])
    found = normals_CHW[:, HEIGHT // 2, WIDTH // 2].double().numpy()
    # The nearest pixel may be half a pixel off.
    assert np.degrees(np.arccos(np.clip(found @ expected, -1, 1))) < 6.0


@properties
@given(angles, scales, st.booleans(), aspects)
def test_what_is_absent_stays_so_and_normals_stay_unit_vectors(
    angle: float, scale: float, mirror: bool, aspect: float
) -> None:
    batch = tilted((1.0, -0.5), aspect)
    hole = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    hole[:, 8:16, 10:20] = True
    batch.targets["depth"] = batch.targets["depth"].masked_fill(hole, 0.0)
    batch.targets["normals"] = batch.targets["normals"].masked_fill(hole[:, None], 0.0)
    batch.targets["edges"] = batch.targets["edges"].masked_fill(hole, 255)
    after = moved(batch, motion(mirror, angle, scale), KINDS, FILL).targets
    lengths = after["normals"].norm(dim=1)
    seen = lengths > 0.5
    torch.testing.assert_close(lengths[seen], torch.ones(int(seen.sum())))
    assert not lengths[~seen].any()
    assert torch.equal(after["depth"] > 0, seen)
    assert torch.equal(after["edges"] != 255, seen)
    assert set(after["edges"].flatten().tolist()) <= {0, 1, 255}
    assert after["animals"].tolist() == [3]


@properties
@given(scales, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_what_appears_larger_is_nearer(scale: float, right: float, down: float) -> None:
    """Each pixel's depth is that of where it came from, over the enlargement."""
    batch = tilted((1.0, 2.0), WIDTH / HEIGHT)
    after = moved(batch, motion(scale=scale, shift=(right, down)), KINDS, FILL)
    x, y = places(1.0)
    # Where each pixel came from is what the image itself says: red is x, green is y.
    found, depth = after.images_NCHW[0], after.targets["depth"][0]
    inner = (depth > 0) & (found[:2].amin(dim=0) > 0.05) & (found[:2].amax(dim=0) < 0.95)
    from_x, from_y = (2 * found[0] - 1) * WIDTH / HEIGHT, 2 * found[1] - 1
    expected = (10 + from_x + 2 * from_y) / scale
    assert float(((depth - expected).abs() * inner).max()) < 0.15 / scale
    torch.testing.assert_close(
        (scale * (2 * found[0] - 1) + right)[inner], x[inner], rtol=0, atol=1e-3
    )
    torch.testing.assert_close(
        (scale * (2 * found[1] - 1) + down)[inner], y[inner], rtol=0, atol=1e-3
    )


@properties
@given(aspects)
def test_mirroring_twice_gives_everything_back(aspect: float) -> None:
    batch = tilted((0.7, -1.3), aspect)
    once = moved(batch, motion(mirror=True), KINDS, FILL)
    twice = moved(once, motion(mirror=True), KINDS, FILL)
    assert torch.equal(once.targets["semseg"], batch.targets["semseg"].flip(-1))
    for name, target in batch.targets.items():
        torch.testing.assert_close(twice.targets[name], target)
    torch.testing.assert_close(twice.images_NCHW, batch.images_NCHW, rtol=0, atol=1e-5)


@properties
@given(angles, st.booleans())
def test_image_and_targets_move_together(angle: float, mirror: bool) -> None:
    """Red above a half is what the segmentation marks, but for pixels at the boundary."""
    after = moved(tilted((0.0, 0.0), 1.2), motion(mirror, angle), KINDS, FILL)
    red, label = after.images_NCHW[0, 0], after.targets["semseg"][0]
    sure = (label != 255) & ((red - 0.5).abs() > 0.05)
    assert torch.equal((red > 0.5)[sure], (label == 1)[sure])


def test_a_quarter_turn_is_clockwise() -> None:
    """From the x axis towards the y axis, which points down: what was on the right is below."""
    image = torch.zeros(1, 3, 5, 5)
    image[0, :, 2, 4] = 1.0
    still = motion(angle=math.pi / 2)
    after = moved(Batch(image, {}), still, {}, FILL).images_NCHW
    assert after[0, 0].argmax().item() == 4 * 5 + 2


def test_what_comes_into_view_is_filled_and_unlabelled() -> None:
    after = moved(tilted((0.0, 0.0), 1.5), motion(scale=0.5), KINDS, FILL)
    torch.testing.assert_close(after.images_NCHW[0, :, 0, 0], FILL)
    assert after.targets["semseg"][0, 0, 0].item() == 255
    assert after.targets["depth"][0, 0, 0].item() == 0.0
    assert not after.targets["normals"][0, :, 0, 0].any()
