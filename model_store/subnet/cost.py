"""Cost in closed form: a sum of terms that are bilinear in channel counts, without a forward pass.

What is counted is the caller's business: multiply-accumulates, parameters, bytes, or ticks of time.
A published model's own terms count multiply-accumulates (MACs) at batch 1: a convolution or linear
layer contributes ``out_h * out_w * kh * kw * c_in * c_out / groups`` (DeepSpeed's and fvcore's
convention for convolutions). Batch norm, activations and interpolation are not counted. 1 GMAC is
1e9 MACs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.slicing import Dim
from model_store.subnet.space import Architecture, SearchSpace


@dataclass(frozen=True)
class Unit:
    """What people say a cost in."""

    name: str
    """As in a request, e.g. ``gmacs``."""
    label: str
    """In a sentence after a number, e.g. ``GMACs``."""
    scale: float
    """Counts of a cost model in one of these."""


GMACS = Unit("gmacs", "GMACs", 1e9)


@dataclass(frozen=True)
class CostTerm:
    """One layer's share of the cost: ``positions * kernel * inputs * outputs``."""

    positions: int
    """Output positions, out_h * out_w; 1 for a linear layer on pooled features."""
    kernel: int
    """Kernel area, kh * kw."""
    inputs: Dim
    """Input channels that one output channel reads (a constant for grouped convolutions)."""
    outputs: Dim
    """Output channels."""
    task: str | None = None
    """The task whose decoder this layer belongs to; None for the shared encoder."""


class CostModel:
    """The cost of whole populations as one vectorised expression. It never falls as widths rise.

    Counts are integers below 2^53, so that sums are exact and a reported cost is a budget that it
    fits.
    """

    def __init__(
        self,
        space: SearchSpace,
        terms: Sequence[CostTerm],
        unit: Unit = GMACS,
        block: int = 1,
    ) -> None:
        """Prepares the expression.

        Args:
            space: the search space.
            terms: what is summed.
            unit: what people say this cost in.
            block: channel counts are rounded up to multiples of this before they are multiplied,
                as time goes: vector instructions work on whole blocks of channels. Fixed numbers
                are not.
        """
        self.space = space
        self.terms = tuple(terms)
        self.unit = unit
        self.block = block
        # Inputs and outputs of all terms in one product: searches cost one candidate at a time.
        both_UG, self._both_U = self._matrix([t.inputs for t in terms] + [t.outputs for t in terms])
        self._both_GU = np.ascontiguousarray(both_UG.T)
        sliced_U = both_UG.any(axis=1)
        self._block_U = np.where(sliced_U, float(block), 1.0) if block > 1 else None
        self._positions_T = np.array([t.positions * t.kernel for t in terms], dtype=np.float64)

    def _matrix(self, dims: list[Dim]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        by_group_TG = np.zeros((len(dims), len(self.space.groups)))
        fixed_T = np.zeros(len(dims))
        for row, dim in enumerate(dims):
            for segment in dim:
                if isinstance(segment, str):
                    by_group_TG[row, self.space.index[segment]] += 1
                else:
                    fixed_T[row] += segment
        return by_group_TG, fixed_T

    def for_tasks(self, tasks: Collection[str]) -> "CostModel":
        """The cost model of the encoder and the decoders of these tasks only."""
        kept = [t for t in self.terms if t.task is None or t.task in tasks]
        return CostModel(self.space, kept, self.unit, self.block)

    def counts(self, channels_PG: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cost of a population given as channel counts [P, G]; shape [P]. Exact."""
        # Every product and sum is an integer below 2^53, so float64 (BLAS) is exact.
        channels = channels_PG.astype(np.float64)
        both_PU = channels @ self._both_GU + self._both_U
        if self._block_U is not None:
            both_PU = np.ceil(both_PU / self._block_U) * self._block_U
        terms = len(self.terms)
        counts_P: NDArray[np.float64] = (
            both_PU[:, :terms] * both_PU[:, terms:]
        ) @ self._positions_T
        return counts_P.astype(np.int64)

    def of(self, architecture: Architecture) -> int:
        """Cost of one sub-network."""
        return int(self.counts(np.array([architecture.channels], dtype=np.int64))[0])
