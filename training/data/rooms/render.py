"""From a seed to an image and its five dense targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.classes import CLASSES, FURNITURE
from training.data.rooms.furnishing import furnish
from training.data.rooms.geometry import F32
from training.data.rooms.scene import Scene
from training.data.rooms.shading import lit_share, radiance
from training.data.rooms.surfaces import Catalogue, Surfaces, catalogue, surfaces
from training.data.rooms.targets import edges, saliency
from training.data.rooms.visibility import cast

VERSION = 1
"""Counts the changes to the renderer that change pixels; caches of other versions are stale."""

SMALLEST = 16
"""Least height and width of an image, pixels."""

_NOISE = 0.008  # standard deviation of the sensor noise, as a share of full scale


@dataclass(frozen=True, eq=False)
class Sample:
    """An image of a room and its ground truth, which is exact at the pixel centres.

    Attributes:
        image_HWC: RGB, 0 to 255.
        semseg_HW: index into ``CLASSES``; 255 would mean none, which a room never has.
        depth_HW: metres along the camera axis, above zero everywhere.
        normals_HWC: unit normals in camera coordinates (x right, y down, z forward), towards
            the camera: a surface that faces it has z = -1.
        edges_HW: 1 on visible boundaries, 0 elsewhere; see ``targets.edges``.
        saliency_HW: 1 on the most central piece of furniture; see ``targets.saliency``.
    """

    image_HWC: NDArray[np.uint8]
    semseg_HW: NDArray[np.uint8]
    depth_HW: NDArray[np.float32]
    normals_HWC: NDArray[np.float32]
    edges_HW: NDArray[np.uint8]
    saliency_HW: NDArray[np.uint8]


def check_size(height: int, width: int) -> None:
    """Raise ValueError unless an image of this size can be rendered."""
    if height < SMALLEST or width < SMALLEST:
        raise ValueError(
            f"an image of {height} x {width} is too small: height and width must be at least "
            f"{SMALLEST} pixels"
        )


def render(seed: int, height: int = 128, width: int = 128) -> Sample:
    """Furnish a room and photograph it.

    Args:
        seed: any integer of at least 0; the same seed gives the same sample on every call.
        height: image height in pixels, at least 16.
        width: image width in pixels, at least 16.

    Returns:
        The image and its ground truth.

    Raises:
        ValueError: if the seed is negative or the size too small.
    """
    check_size(height, width)
    if seed < 0:
        raise ValueError(f"seed {seed} is negative: it must be 0 or more")
    rng = np.random.default_rng(seed)
    return photograph(furnish(rng), rng, height, width)


def photograph(scene: Scene, rng: np.random.Generator, height: int, width: int) -> Sample:
    """Render one scene; ``rng`` draws the sensor noise."""
    hits = cast(scene, height, width)
    solids = catalogue(scene)
    everywhere = surfaces(scene, solids, hits)
    lattice = hits.depth_L.shape
    centres = _at_centres(everywhere, lattice)
    lit = lit_share(scene, centres, height, width)
    light = radiance(scene, solids, everywhere, lit, lattice)
    instance = solids.instance_S[centres.solid_N].reshape(height, width)
    point = centres.point_3N.T.reshape(height, width, 3)
    normal = centres.normal_3N.T.reshape(height, width, 3)
    axes = scene.camera.axes().astype(np.float32)
    return Sample(
        image_HWC=_develop(light.reshape(3, *lattice), rng),
        semseg_HW=solids.class_S[centres.solid_N].reshape(height, width),
        depth_HW=np.ascontiguousarray(hits.depth_L[1::2, 1::2]),
        normals_HWC=np.einsum("hwc,kc->hwk", normal, axes),
        edges_HW=edges(instance, point, normal),
        saliency_HW=saliency(instance, _furniture(solids)),
    )


def _at_centres(points: Surfaces, lattice: tuple[int, ...]) -> Surfaces:
    """The surfaces at the centres of the pixels."""
    at = np.arange(lattice[0] * lattice[1]).reshape(lattice)[1::2, 1::2].ravel()
    return Surfaces(
        points.solid_N[at],
        points.point_3N[:, at],
        points.local_3N[:, at],
        points.normal_3N[:, at],
        points.face_N[at],
    )


def _furniture(solids: Catalogue) -> frozenset[int]:
    """Instances that can be salient."""
    pairs = zip(solids.instance_S, solids.class_S, strict=True)
    return frozenset(int(i) for i, label in pairs if CLASSES[label] in FURNITURE)


def _develop(light_3L: F32, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Anti-alias, expose and encode: every pixel is a tent over its 3 x 3 lattice points."""
    rows = light_3L[:, :-2:2] + 2 * light_3L[:, 1::2] + light_3L[:, 2::2]
    light = rows[:, :, :-2:2] + 2 * rows[:, :, 1::2] + rows[:, :, 2::2]
    light *= np.float32(1 / 16)
    # A shoulder instead of clipping, then gamma 2.
    shown = np.sqrt(1 - np.exp(-light * np.float32(1.4)))
    shown += rng.normal(scale=_NOISE, size=shown.shape).astype(np.float32)
    image = np.clip(shown * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0))
