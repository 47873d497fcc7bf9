"""Ground truth that follows from the buffers: edges and the salient object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import F32

CREASE = 0.766
"""Cosine of 40 degrees: a sharper turn of the normal between neighbours is an edge."""

STEP = 0.06
"""Metres that a neighbour may lie off a pixel's tangent plane before there is an edge."""

SPREAD = 0.3
"""Standard deviation of the centre weight of saliency, as a share of the image's height."""


def edges(instance_HW: NDArray[np.intp], point_HWC: F32, normal_HWC: F32) -> NDArray[np.uint8]:
    """Mark visible boundaries, two pixels wide.

    Two pixels that touch along a side are both marked where they belong to different
    instances (a piece of furniture, a wall, the floor ...), where their normals differ by more
    than 40 degrees, or where one lies more than 6 cm off the tangent plane of the other.

    Args:
        instance_HW: number of the instance at each pixel.
        point_HWC: surface positions, metres, in any frame.
        normal_HWC: unit normals in the same frame.

    Returns:
        (H, W) 1 on edges, 0 elsewhere.
    """
    marked = np.zeros(instance_HW.shape, bool)
    for here, there in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        n, m = normal_HWC[here], normal_HWC[there]
        way = point_HWC[there] - point_HWC[here]
        off = np.maximum(
            np.abs(np.einsum("hwc,hwc->hw", n, way)), np.abs(np.einsum("hwc,hwc->hw", m, way))
        )
        differ = (
            (instance_HW[here] != instance_HW[there])
            | (np.einsum("hwc,hwc->hw", n, m) < CREASE)
            | (off > STEP)
        )
        marked[here] |= differ
        marked[there] |= differ
    return marked.astype(np.uint8)


def saliency(instance_HW: NDArray[np.intp], candidates: frozenset[int]) -> NDArray[np.uint8]:
    """Mark the piece of furniture that takes up most of the image's middle.

    The score of an instance is the sum over its pixels of exp(-d^2 / (2 s^2)), where d is the
    distance from the pixel's centre to the image's centre and s is 0.3 image heights.

    Args:
        instance_HW: number of the instance at each pixel.
        candidates: the instances that are furniture.

    Returns:
        (H, W) 1 on the instance of the highest score; all 0 where no furniture is visible.
    """
    height, width = instance_HW.shape
    y = (np.arange(height) + 0.5) / height - 0.5
    x = ((np.arange(width) + 0.5) - width / 2) / height
    weight = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * SPREAD**2))
    score = np.bincount(instance_HW.ravel(), weight.ravel())
    eligible = [i for i in sorted(candidates) if i < len(score) and score[i] > 0]
    if not eligible:
        return np.zeros((height, width), np.uint8)
    winner = max(eligible, key=lambda i: score[i])
    salient: NDArray[np.bool_] = instance_HW == winner
    return salient.astype(np.uint8)
