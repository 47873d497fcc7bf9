"""Sub-networks to cache, without a model to cut them from."""

from collections import Counter
from dataclasses import dataclass, field

from model_store.cache import Level, Outcome
from model_store.subnetwork import Subnet, SubnetMetadata, Widths

ONE, TWO = "1" * 32, "2" * 32


def metadata() -> SubnetMetadata:
    """Some description."""
    return SubnetMetadata(
        model="tiny",
        version="1",
        model_digest="d" * 64,
        tasks=("depth",),
        gmacs=0.5,
        parameters=10,
        size_bytes=7,
        widths=Widths(encoder={"stem": 0.5}, decoders={"depth": 1.0}),
        channels={"stem": 8, "depth": 16},
        predicted={"depth": {"loss": 0.1, "metric": "rel", "value": 0.2}},
        timings_ms={"extract": 1.0, "calibrate": 2.0},
    )


def subnet(subnet_id: str = ONE, onnx: bytes = b"weights") -> Subnet:
    """A sub-network whose file is not one."""
    return Subnet(subnet_id, onnx, metadata())


@dataclass
class Counted:
    """Counts lookups as the service's metrics do."""

    found: Counter[tuple[Level, Outcome]] = field(default_factory=Counter)

    def __call__(self, level: Level, outcome: Outcome) -> None:
        self.found[level, outcome] += 1
