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
        # Many terms multiply the same two dimensions, so the cost is a quadratic form of fewer.
        dims = list(dict.fromkeys(d for t in terms for d in (t.inputs, t.outputs)))
        index = {dim: d for d, dim in enumerate(dims)}
        by_group_DG = np.zeros((len(dims), len(space.groups)))
        self._fixed_D = np.zeros(len(dims))
        for dim, d in index.items():
            for segment in dim:
                if isinstance(segment, str):
                    by_group_DG[d, space.index[segment]] += 1
                else:
                    self._fixed_D[d] += segment
        self._by_group_GD = np.ascontiguousarray(by_group_DG.T)
        sliced_D = by_group_DG.any(axis=1)
        self._block_D = np.where(sliced_D, float(block), 1.0) if block > 1 else None
        self._positions_DD = np.zeros((len(dims), len(dims)))
        for term in terms:
            self._positions_DD[index[term.inputs], index[term.outputs]] += (
                term.positions * term.kernel
            )

    def for_tasks(self, tasks: Collection[str]) -> "CostModel":
        """The cost model of the encoder and the decoders of these tasks only."""
        kept = [t for t in self.terms if t.task is None or t.task in tasks]
        return CostModel(self.space, kept, self.unit, self.block)

    def counts(self, channels_PG: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cost of a population given as channel counts [P, G]; shape [P]. Exact."""
        # Every product and sum is an integer below 2^53, so float64 (BLAS) is exact.
        sizes_PD = channels_PG.astype(np.float64) @ self._by_group_GD + self._fixed_D
        if self._block_D is not None:
            sizes_PD = np.ceil(sizes_PD / self._block_D) * self._block_D
        counts_P: NDArray[np.float64] = np.vecdot(sizes_PD @ self._positions_DD, sizes_PD)
        return counts_P.astype(np.int64)

    def of(self, architecture: Architecture) -> int:
        """Cost of one sub-network."""
        return int(self.counts(np.array([architecture.channels], dtype=np.int64))[0])
