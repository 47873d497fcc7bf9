"""Rendered rooms as a training source: five dense tasks, mirrored at random."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.rooms import NORMAL_SCALE, Split
from training.data.source import Batch, digest_of_text


class Rooms:
    """A split of rendered rooms (:mod:`training.data.rooms`)."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def pixels(self, indices_N: Tensor) -> Tensor:
        """The rendered images at these indices, uint8 [N, H, W, 3]."""
        return torch.from_numpy(self.split.image_NHWC[indices_N.numpy()])

    def identity(self) -> str:
        """What was rendered: pixels may differ by rounding from one processor to the next."""
        return digest_of_text(self.split.origin)

    def batch(self, indices_N: Tensor) -> Batch:
        """The scenes at these indices."""
        at = indices_N.numpy()

        def load(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array[at]))

        normals_NCHW = load(self.split.normals_NHWC).permute(0, 3, 1, 2).float()
        return Batch(
            self.pixels(indices_N).permute(0, 3, 1, 2).float() / 255,
            {
                "semseg": load(self.split.semseg_NHW).long(),
                "depth": load(self.split.depth_NHW).float(),
                "normals": torch.nn.functional.normalize(normals_NCHW / float(NORMAL_SCALE), dim=1),
                "edges": load(self.split.edges_NHW).long(),
                "saliency": load(self.split.saliency_NHW).long(),
            },
        )

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Mirrors half of the scenes, normals included, and varies brightness and contrast."""
        n = len(batch.images_NCHW)
        mirror_N = torch.rand(n, generator=generator) < 0.5
        gain_N, shift_N = 0.8 + 0.4 * torch.rand(2, n, generator=generator)

        def mirrored(x: Tensor) -> Tensor:
            return torch.where(mirror_N.view(-1, *(1,) * (x.ndim - 1)), x.flip(-1), x)

        targets = {name: mirrored(target) for name, target in batch.targets.items()}
        x_sign_N = torch.where(mirror_N, -1.0, 1.0)
        sign_NC = torch.stack([x_sign_N, torch.ones(n), torch.ones(n)], dim=1)
        targets["normals"] = targets["normals"] * sign_NC[:, :, None, None]
        images = mirrored(batch.images_NCHW) * gain_N[:, None, None, None]
        images = (images + 0.5 * (shift_N - 1.0)[:, None, None, None]).clamp(0.0, 1.0)
        return Batch(images, targets)
