"""How a run uses the machine. Nothing here changes what is trained, beyond rounding."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from training.layers import SlimmableBatchNorm2d
from training.ranks import Ranks
from training.supernet import SuperNet


@dataclass(frozen=True)
class Engine:
    """Choices between memory, speed and repeatability."""

    workers: int = 1
    """Threads that make batches in the background."""
    checkpointing: bool = False
    """Whether to compute activations again in the backward pass instead of keeping them."""
    deterministic: bool = False
    """Whether to avoid operations whose rounding differs from run to run on a GPU."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"at least 1 thread must make batches, found {self.workers}")


def prepared(network: SuperNet, ranks: Ranks, engine: Engine) -> SuperNet:
    """The same network in training mode, on the rank's device, as the engine runs it."""
    network.to(ranks.device).train()
    for module in network.modules():
        if isinstance(module, SlimmableBatchNorm2d):
            module.synchronised = ranks.count > 1
    if engine.checkpointing:
        for block in _blocks(network):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return network


def _blocks(network: SuperNet) -> Iterator[nn.Module]:
    """What is recomputed as a whole: residual blocks, other layers of the encoder, decoders."""
    for child in network.encoder.children():
        yield from child.children() if isinstance(child, nn.ModuleList | nn.ModuleDict) else [child]
    yield from network.decoders.children()


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Makes operations repeatable to the bit, and names in a warning those that cannot be."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        # Read when cuBLAS is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
