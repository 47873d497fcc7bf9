"""The accuracy predictor: from the widths of a sub-network to the loss and metric of every task.

Inference only, in numpy, so that the service needs no torch: the multilayer perceptron of ECMT
Algorithm 3 (a trunk of 100, 100 and 50 units with ReLU, and one linear head per predicted
quantity). Dimensions: P architectures, G groups, N tasks, Q = 2N quantities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HIDDEN = (100, 100, 50)
"""Units of the trunk's three layers (ECMT Algorithm 3)."""

DECIMALS = 9
"""Digits of a prediction that count. What BLAS computes differs in its last bits from processor to
processor, and with where in a batch a row stands; a search that compared them would end elsewhere.
"""

_ROWS = 64
"""Architectures evaluated at once. Products this small stay in cache and on one BLAS thread;
larger ones wake further threads, and on busy cores wait for them."""


def tensor_shapes(tasks: int, groups: int) -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor of a predictor, all float32."""
    shapes: dict[str, tuple[int, ...]] = {}
    # torch names the layers of Sequential(Linear, ReLU, Linear, ReLU, Linear, ReLU) 0, 2 and 4.
    for layer, (inputs, outputs) in enumerate(zip((groups, *HIDDEN), HIDDEN, strict=False)):
        shapes[f"model.{2 * layer}.weight"] = (outputs, inputs)
        shapes[f"model.{2 * layer}.bias"] = (outputs,)
    quantities = 2 * tasks
    shapes["heads.weight"] = (quantities, HIDDEN[-1])
    shapes["heads.bias"] = (quantities,)
    shapes["targets.mean"] = (quantities,)
    shapes["targets.std"] = (quantities,)
    return shapes


@dataclass(frozen=True, eq=False)
class AccuracyPredictor:
    """Predicts the quality of sub-networks from their width ratios (ECMT Algorithm 3).

    The heads answer in standard deviations from the mean of the training targets; ``predict``
    gives the real units back.
    """

    tasks: tuple[str, ...]
    """Task names; quantity n is the loss of task n, quantity N + n its metric."""
    trunk: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    """Weight [in, out] and bias [out] of each layer."""
    heads: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Weight [50, Q] and bias [Q]."""
    mean_Q: NDArray[np.float32]
    std_Q: NDArray[np.float32]

    @staticmethod
    def from_tensors(
        tensors: Mapping[str, NDArray[np.float32]], tasks: Sequence[str], groups: int
    ) -> "AccuracyPredictor":
        """The predictor with these trained tensors.

        Args:
            tensors: what :func:`tensor_shapes` lists, in torch's layout (weights are [out, in]).
            tasks: task names, in the order of the heads.
            groups: the number of groups of the search space.

        Raises:
            ValueError: a tensor is missing, unknown, of the wrong shape or type, or not finite, or
                a standard deviation is not positive.
        """
        expected = tensor_shapes(len(tasks), groups)
        if set(tensors) != set(expected):
            odd = sorted(set(tensors) ^ set(expected))
            raise ValueError(f"accuracy predictor: missing or unknown tensors: {', '.join(odd)}")
        for name, shape in expected.items():
            _check(name, tensors[name], shape)
        if not np.all(tensors["targets.std"] > 0):
            raise ValueError("accuracy predictor: targets.std must be positive")
        layers = range(0, 2 * len(HIDDEN), 2)
        return AccuracyPredictor(
            tasks=tuple(tasks),
            trunk=tuple(_layer(tensors, f"model.{i}") for i in layers),
            heads=_layer(tensors, "heads"),
            mean_Q=tensors["targets.mean"],
            std_Q=tensors["targets.std"],
        )

    def standardised_losses(self, ratios_PG: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Predicted losses in standard deviations from the mean, shape [P, N]; lower is better.

        This is what the search scores: in these units the losses of different tasks compare.

        Args:
            ratios_PG: channels over full width (:meth:`SearchSpace.ratios_of`), in (0, 1].
        """
        weight, bias = self.heads
        tasks = len(self.tasks)
        return self._evaluate(ratios_PG, weight[:, :tasks], bias[:tasks])

    def predict(
        self, ratios_PG: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predicted losses [P, N] and metrics [P, N] in their own units.

        Args:
            ratios_PG: channels over full width (:meth:`SearchSpace.ratios_of`), in (0, 1].
        """
        values_PQ = self._evaluate(ratios_PG, *self.heads) * self.std_Q + self.mean_Q
        tasks = len(self.tasks)
        return values_PQ[:, :tasks], values_PQ[:, tasks:]

    def _evaluate(
        self,
        ratios_PG: NDArray[np.floating[Any]],
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        if len(ratios_PG) > _ROWS:
            starts = range(0, len(ratios_PG), _ROWS)
            return np.concatenate(
                [self._evaluate(ratios_PG[i : i + _ROWS], weight, bias) for i in starts]
            )
        features = ratios_PG.astype(np.float64)
        for layer_weight, layer_bias in self.trunk:
            features = features @ layer_weight
            features += layer_bias
            np.maximum(features, 0, out=features)
        values_PQ: NDArray[np.float64] = np.round(features @ weight + bias, DECIMALS)
        return values_PQ


def _layer(
    tensors: Mapping[str, NDArray[np.float32]], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight [in, out] and bias [out] of a layer, in the precision that is computed in."""
    weight, bias = (tensors[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
    return np.ascontiguousarray(weight.T), bias


def _check(name: str, tensor: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if tensor.dtype != np.float32 or tensor.shape != shape:
        raise ValueError(
            f"accuracy predictor: {name} must be float32 {list(shape)}, "
            f"found {tensor.dtype} {list(tensor.shape)}"
        )
    if not np.all(np.isfinite(tensor)):
        raise ValueError(f"accuracy predictor: {name} holds values that are not finite")
