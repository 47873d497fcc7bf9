"""The quality of sub-networks on the test split: extracted, calibrated, measured, each once."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model_store.subnet.space import Architecture
from training.data.source import Source, Subset, in_order
from training.evaluate import Quality, calibrated, evaluate
from training.evaluation.memo import Memo
from training.ranks import Ranks
from training.supernet import SuperNet

Show = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """Measures sub-networks of one network, in float32."""

    network: SuperNet
    identity: str
    """A digest of the network's weights."""
    test: Source
    test_digest: str
    """:func:`digest_of` the test images."""
    calibration_NCHW: Tensor
    """RGB in [0, 1]."""
    memo: Memo
    ranks: Ranks
    show: Show

    @property
    def key(self) -> str:
        """What measurements are remembered under."""
        pixels = (self.calibration_NCHW * 255).round().to(torch.uint8).contiguous()
        digest = hashlib.sha256(pixels.numpy().tobytes())
        digest.update(json.dumps([self.identity, list(pixels.shape), self.test_digest]).encode())
        return digest.hexdigest()[:32]

    def measure(self, what: str, architectures: Sequence[Architecture]) -> list[Quality]:
        """The qualities of these sub-networks, in their order.

        Those that are not known yet are spread over the ranks. All ranks call this together.

        Args:
            what: they are measured for, for the progress bar.
            architectures: equal ones are measured once.
        """
        key = self.key
        missing = [a for a in dict.fromkeys(architectures) if self.memo.get(key, a) is None]
        known = len(set(architectures)) - len(missing)
        total = known + len(missing)
        self.show(what, known, total)

        def one(index: int) -> Quality:
            return evaluate(
                calibrated(self.network, missing[index], self.calibration_NCHW), self.test
            )

        measured = self.ranks.in_turns(len(missing), one)
        for done, (architecture, quality) in enumerate(zip(missing, measured, strict=True), 1):
            self.memo.add(key, architecture, quality)
            self.show(what, known + done, total)
        found = [self.memo.get(key, a) for a in architectures]
        return [quality for quality in found if quality is not None]

    def calibrated_on(self, images_NCHW: Tensor) -> "Gauge":
        """The same with other calibration images."""
        return replace(self, calibration_NCHW=images_NCHW)


def digest_of(test: Source, show: Callable[[int, int], None] = lambda _, __: None) -> str:
    """The SHA-256 of images and ground truth; ``show`` is called with those done and all."""
    digest, done = hashlib.sha256(), 0
    for batch in in_order(test, 64):
        digest.update(batch.images_NCHW.contiguous().numpy().tobytes())
        for name, target in sorted(batch.targets.items()):
            digest.update(name.encode())
            digest.update(target.contiguous().numpy().tobytes())
        done += len(batch.images_NCHW)
        show(done, len(test))
    return digest.hexdigest()


def limited(test: Source, images: int | None, seed: int) -> Source:
    """So many images of a test split, drawn at random; all of them for None or too many."""
    if images is None or images >= len(test):
        return test
    chosen = np.sort(np.random.default_rng(seed).permutation(len(test))[:images])
    return Subset(test, torch.from_numpy(chosen))
