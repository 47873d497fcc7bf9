"""Moving images and their targets so that the geometry stays right.

x points right, y down and z along the view, in images and in normals alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.manifest import TaskKind
from training.data.source import Batch
from training.tasks import IGNORE


@dataclass(frozen=True)
class Motion:
    """How each image of a batch is moved: mirrored, then turned, then enlarged, then shifted.

    All about the image's centre, and in the proportions that the image had before it was resized.
    """

    mirror_N: Tensor
    """Whether left and right are exchanged, bool [N]."""
    angle_N: Tensor
    """Radians from the x axis towards the y axis, clockwise to the eye, float [N]."""
    scale_N: Tensor
    """Enlargement, float [N], positive."""
    shift_NX: Tensor
    """Shift right and down, in half widths and half heights, float [N, 2]."""


def moved(batch: Batch, motion: Motion, kinds: Mapping[str, TaskKind], fill: Tensor) -> Batch:
    """The batch, moved.

    Targets are never mixed: each pixel takes the nearest one's. Depth is divided by the
    enlargement, since what appears larger is nearer (NYUD-v2's published transform); normals are
    mirrored and turned in x and y with the image, and made unit vectors again. What comes into view
    from outside has no ground truth.

    Args:
        batch: the images, and the width over height that they had before they were resized.
        motion: how each is moved.
        kinds: the kind of each task.
        fill: colour [3] of what comes into view from outside.
    """
    linear_NXX = _linear(motion)
    grid_NHWX = _sources(batch, motion, linear_NXX)
    inside_NHW = (grid_NHWX.abs() <= 1.0).all(dim=3)
    # Bilinear at the border would mix in zeros: the border's colour, and the fill outside.
    sampled = F.grid_sample(
        batch.images_NCHW, grid_NHWX, "bilinear", padding_mode="border", align_corners=False
    )
    images_NCHW = torch.where(inside_NHW[:, None], sampled, fill.view(1, 3, 1, 1))
    targets = {
        name: _moved_target(target, kinds[name], grid_NHWX, inside_NHW, motion, linear_NXX)
        for name, target in batch.targets.items()
    }
    return Batch(images_NCHW, targets, batch.aspect_N)


def _linear(motion: Motion) -> Tensor:
    """Rotation times mirror, [N, 2, 2]: what happens to directions in the image."""
    cos, sin = motion.angle_N.cos(), motion.angle_N.sin()
    sign = torch.where(motion.mirror_N, -1.0, 1.0)
    rows = [torch.stack([sign * cos, -sin], dim=1), torch.stack([sign * sin, cos], dim=1)]
    return torch.stack(rows, dim=1)


def _sources(batch: Batch, motion: Motion, linear_NXX: Tensor) -> Tensor:
    """Where each pixel comes from, [N, H, W, 2] as x and y in [-1, 1]."""
    n, _, height, width = batch.images_NCHW.shape
    # Half extents of the image as it was before it was resized, with half its height as the unit.
    aspect_N = torch.full((n,), width / height) if batch.aspect_N is None else batch.aspect_N
    half_NX = torch.stack([aspect_N, torch.ones(n)], dim=1)
    y = (torch.arange(height) * 2 + 1) / height - 1
    x = (torch.arange(width) * 2 + 1) / width - 1
    grid_HWX = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    position = (grid_HWX - motion.shift_NX[:, None, None]) * half_NX[:, None, None]
    position = position / motion.scale_N[:, None, None, None]
    # The inverse of rotation times mirror is its transpose.
    back = torch.einsum("nhwx,nxy->nhwy", position, linear_NXX)
    return back / half_NX[:, None, None]


def _moved_target(
    target: Tensor,
    kind: TaskKind,
    grid_NHWX: Tensor,
    inside_NHW: Tensor,
    motion: Motion,
    linear_NXX: Tensor,
) -> Tensor:
    if kind == "classification":
        return target
    planes_NCHW = (target if target.ndim == 4 else target[:, None]).float()
    sampled = F.grid_sample(planes_NCHW, grid_NHWX, "nearest", align_corners=False)
    if kind == "normals":
        xy = torch.einsum("nxy,nyhw->nxhw", linear_NXX, sampled[:, :2])
        return F.normalize(torch.cat([xy, sampled[:, 2:]], dim=1), dim=1) * inside_NHW[:, None]
    if kind == "depth":
        return sampled[:, 0] / motion.scale_N[:, None, None] * inside_NHW
    return torch.where(inside_NHW, sampled[:, 0].round().to(target.dtype), IGNORE)
