"""The tiny network a second time, in torch, and its slices a second time, by hand.

Nothing here knows of manifests, dims or ONNX: it is what the tests hold the extraction against.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tests.tiny_network import MEAN, STD

DENSE = ("semseg", "depth", "normals", "edges", "saliency")

BatchNorm = Callable[[str, Tensor], Tensor]
"""Normalises an activation, given the batch norm's name."""


def slice_by_hand(
    weights: Mapping[str, NDArray[np.float32]], width: Mapping[str, int]
) -> dict[str, Tensor]:
    """The parameters of the sub-network with these channel counts, by numpy index sets."""
    stem, block, expand, stage = (range(width[g]) for g in ("stem", "block", "expand", "stage"))
    outputs: dict[str, Sequence[int]] = {
        "stem": stem,
        "block.1": block,
        "block.2": stem,
        "expand": expand,
        "depthwise": expand,
        "stage": stage,
    }
    inputs: dict[str, Sequence[int]] = {
        "stem": range(3),
        "block.1": stem,
        "block.2": block,
        "expand": stem,
        "depthwise": range(1),
        "stage": expand,
    }
    for task in DENSE:
        c = range(width[task])
        for branch in ("near", "far", "pool"):
            outputs[f"{task}.{branch}"], inputs[f"{task}.{branch}"] = c, stage
        outputs[f"{task}.project"] = outputs[f"{task}.mix"] = c
        # All decoders have 16 channels at full width, and the low-level skip comes after them.
        inputs[f"{task}.project"] = [b * 16 + i for b in range(3) for i in c]
        inputs[f"{task}.mix"] = [*c, *(16 + i for i in stem)]
        outputs[f"{task}.last"] = range(len(weights[f"{task}.last.weight"]))
        inputs[f"{task}.last"] = c
    sliced: dict[str, NDArray[np.float32]] = {}
    for layer, rows in outputs.items():
        sliced[f"{layer}.weight"] = weights[f"{layer}.weight"][np.ix_(rows, inputs[layer])]
        for name in ("bias", "bn.weight", "bn.bias", "bn.mean", "bn.var"):
            if f"{layer}.{name}" in weights:
                sliced[f"{layer}.{name}"] = weights[f"{layer}.{name}"][list(rows)]
    sliced["animals.weight"] = weights["animals.weight"][:, : width["animals"]]
    sliced["animals.bias"] = weights["animals.bias"]
    return {name: torch.from_numpy(np.array(w)) for name, w in sliced.items()}


def forward(w: Mapping[str, Tensor], image_NCHW: Tensor, norm: BatchNorm) -> dict[str, Tensor]:
    """All outputs of a network with these parameters."""

    def conv(name: str, x: Tensor, stride: int = 1, dilation: int = 1, groups: int = 1) -> Tensor:
        kernel = w[f"{name}.weight"]
        bias = w.get(f"{name}.bias")
        pad = dilation * (kernel.shape[-1] // 2)
        x = F.conv2d(x, kernel, bias, stride, pad, dilation, groups)
        return norm(f"{name}.bn", x) if f"{name}.bn.weight" in w else x

    def enlarge(x: Tensor, scale: int) -> Tensor:
        return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)

    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    stem = F.relu(conv("stem", (image_NCHW - mean) / std, stride=2))
    skip = F.relu(stem + conv("block.2", F.relu(conv("block.1", stem))))
    x = F.relu6(conv("expand", skip))
    x = F.relu6(conv("depthwise", x, stride=2, groups=x.shape[1]))
    stage = conv("stage", x)
    head = w["animals.weight"]
    pooled = stage.mean((2, 3))[:, : head.shape[1]]
    found = {"animals": F.linear(pooled, head, w["animals.bias"])}
    for task in DENSE:
        pool = F.relu(conv(f"{task}.pool", stage.mean((2, 3), keepdim=True)))
        branches = [
            F.relu(conv(f"{task}.near", stage)),
            F.relu(conv(f"{task}.far", stage, dilation=2)),
            pool.expand(-1, -1, *stage.shape[2:]),
        ]
        x = F.relu(conv(f"{task}.project", torch.cat(branches, 1)))
        x = F.relu(conv(f"{task}.mix", torch.cat([enlarge(x, 2), skip], 1)))
        x = conv(f"{task}.last", x)
        if task == "normals":
            x = F.normalize(x, dim=1, eps=1e-6)
        elif task == "depth":
            x = F.softplus(x)
        elif task in ("edges", "saliency"):
            x = x.sigmoid()
        found[task] = enlarge(x, 2)
    return found


def using(
    statistics: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    w: Mapping[str, Tensor],
) -> BatchNorm:
    """Batch norm with given means and variances."""

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var = (torch.from_numpy(v).float() for v in statistics[name])
        return F.batch_norm(x, mean, var, w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-5)

    return norm


def observing(w: Mapping[str, Tensor], seen: dict[str, list[Tensor]]) -> BatchNorm:
    """Batch norm with the batch's own statistics, which leaves what it normalised in ``seen``."""

    def norm(name: str, x: Tensor) -> Tensor:
        seen.setdefault(name, []).append(x)
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)

    return norm
