"""What capacity depends on: measured costs, the traffic, and what a replica is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Costs:
    """What one model costs on one machine (:mod:`benchmarks.capacity.measure`).

    Core-seconds are processor time, so they hold on a busy machine too.
    """

    model: str
    processor: str
    predict_s: tuple[float, ...]
    """Core-seconds of a cached ``POST /predict``, by sub-network, over random dials."""
    load_s: float
    """Core-seconds to make a session from the ONNX file in Redis."""
    build_s: float
    """Core-seconds to search, cut, calibrate and store a sub-network."""
    session_bytes: int
    """Memory of a session, as the session pool counts it."""
    onnx_bytes: int
    """What Redis sends when a session is made."""
    entry_bytes: int
    """Memory of Redis for one sub-network: file, description and request."""
    commands: float
    """Redis commands of a cached prediction."""

    def predict_of(self, dials: int) -> NDArray[np.float64]:
        """Core-seconds of a prediction with each of so many dials, [M]."""
        return np.resize(np.array(self.predict_s), dials)


@dataclass(frozen=True)
class Traffic:
    """Poisson arrivals of predictions, each with one of many dial settings."""

    rate: float
    """Predictions a second."""
    dials: int
    """Distinct dial settings M, each with a sub-network of its own."""
    zipf: float
    """Exponent s of their popularity: the i-th most popular is asked in proportion to i^-s."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.dials < 1 or self.zipf < 0:
            raise ValueError("a positive rate, at least 1 dial and an exponent of 0 or more needed")

    def popularity(self) -> NDArray[np.float64]:
        """The share of each dial, most popular first, [M]; sums to 1."""
        share_M = np.arange(1, self.dials + 1, dtype=np.float64) ** -self.zipf
        normalised_M: NDArray[np.float64] = share_M / share_M.sum()
        return normalised_M


@dataclass(frozen=True)
class Replica:
    """One worker process, and how long what it builds is kept."""

    cores: int
    """``SLIMDIAL_THREADS``, each with a core of its own."""
    session_bytes: int
    """``SLIMDIAL_MAX_SESSION_BYTES``."""
    ttl_s: float
    """``SLIMDIAL_SUBNET_TTL_S``; reading an entry does not prolong its life."""

    def sessions(self, costs: Costs) -> int:
        """Sessions that fit the pool; one in use stays, whatever its size."""
        return max(1, self.session_bytes // costs.session_bytes)
