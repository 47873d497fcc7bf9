"""Compute cost in closed form: multiply-accumulates at batch 1, without a forward pass.

A convolution or linear layer contributes ``out_h * out_w * kh * kw * c_in * c_out / groups``
(DeepSpeed's and fvcore's convention for convolutions). Batch norm, activations and interpolation
are not counted. 1 GMAC is 1e9 multiply-accumulates (MACs).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.slicing import Dim
from model_store.subnet.space import Architecture, SearchSpace


@dataclass(frozen=True)
class CostTerm:
    """One layer's share of the cost: ``positions * kernel * inputs * outputs`` MACs."""

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
    """The cost of whole populations as one vectorised expression."""

    def __init__(self, space: SearchSpace, terms: Sequence[CostTerm]) -> None:
        self.space = space
        self.terms = tuple(terms)
        # Inputs and outputs of all terms in one product: searches cost one candidate at a time.
        both_UG, self._both_U = self._matrix([t.inputs for t in terms] + [t.outputs for t in terms])
        self._both_GU = np.ascontiguousarray(both_UG.T)
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
        return CostModel(self.space, kept)

    def macs(self, channels_PG: NDArray[np.int64]) -> NDArray[np.int64]:
        """MACs of a population given as channel counts [P, G]; shape [P]. Exact."""
        # Every product and sum is an integer below 2^53, so float64 (BLAS) is exact.
        channels = channels_PG.astype(np.float64)
        both_PU = channels @ self._both_GU + self._both_U
        terms = len(self.terms)
        macs_P: NDArray[np.float64] = (both_PU[:, :terms] * both_PU[:, terms:]) @ self._positions_T
        return macs_P.astype(np.int64)

    def of(self, architecture: Architecture) -> int:
        """MACs of one sub-network."""
        return int(self.macs(np.array([architecture.channels], dtype=np.int64))[0])
