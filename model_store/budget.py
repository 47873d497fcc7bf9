"""What a sub-network may cost, said in one of five ways."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

BudgetKind = Literal["gmacs", "fraction", "parameters", "size_bytes", "latency_ms"]

_LABELS: dict[BudgetKind, str] = {
    "gmacs": "GMACs",
    "fraction": "the full network's GMACs",
    "parameters": "parameters",
    "size_bytes": "bytes",
    "latency_ms": "milliseconds",
}


@dataclass(frozen=True)
class Budget:
    """The most that a sub-network may cost."""

    kind: BudgetKind
    """``gmacs``: 1e9 multiply-accumulates at batch 1. ``fraction``: of the GMACs of the full
    network, all tasks kept, in (0, 1]. ``parameters``: values in weights and biases, batch norm
    folded. ``size_bytes``: of the ONNX file. ``latency_ms``: of a prediction at batch 1, as a
    profile of the machine predicts it.
    """
    value: float

    def __post_init__(self) -> None:
        if self.kind not in get_args(BudgetKind):
            raise ValueError(f"a budget is one of {list(get_args(BudgetKind))}, found {self.kind}")
        if not (math.isfinite(self.value) and self.value > 0):
            label = _LABELS[self.kind]
            raise ValueError(f"the budget must be a positive number of {label}, found {self.value}")
        if self.kind == "fraction" and self.value > 1:
            raise ValueError(f"the budget must be a fraction in (0, 1], found {self.value}")
