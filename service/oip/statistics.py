"""What Triton's statistics extension counts, per version, of this process."""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field

from service.oip.numbers import number_of
from service.oip.schemas import BatchStats, Duration, InferStats, VersionStats

_NOTHING = Duration(count=0, ns=0)


@dataclass(frozen=True)
class Times:
    """Seconds of one inference, by stage."""

    queue: float
    input: float
    infer: float
    output: float

    @property
    def all(self) -> float:
        """From the request's admission to its answer."""
        return self.queue + self.input + self.infer + self.output


@dataclass
class _Sum:
    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.ns += round(1e9 * seconds)

    def read(self) -> Duration:
        return Duration(count=self.count, ns=self.ns)


@dataclass
class _Stages:
    queue: _Sum = field(default_factory=_Sum)
    input: _Sum = field(default_factory=_Sum)
    infer: _Sum = field(default_factory=_Sum)
    output: _Sum = field(default_factory=_Sum)

    def add(self, times: Times) -> None:
        self.queue.add(times.queue)
        self.input.add(times.input)
        self.infer.add(times.infer)
        self.output.add(times.output)


@dataclass
class _Version:
    last_ms: int = 0
    images: int = 0
    success: _Sum = field(default_factory=_Sum)
    fail: _Sum = field(default_factory=_Sum)
    stages: _Stages = field(default_factory=_Stages)
    batches: defaultdict[int, _Stages] = field(default_factory=lambda: defaultdict(_Stages))


class Statistics:
    """Counters by model and version; of versions not used for long they are forgotten."""

    def __init__(self, limit: int = 1024) -> None:
        """Everything is zero.

        Args:
            limit: the most versions that are counted.
        """
        self._limit = limit
        self._versions: OrderedDict[tuple[str, str], _Version] = OrderedDict()

    def succeeded(self, model: str, version: str, images: int, times: Times, now_s: float) -> None:
        """Counts an inference.

        Args:
            model: its model.
            version: its sub-network.
            images: its batch size.
            times: how long it took.
            now_s: seconds since 1970.
        """
        found = self._entry(model, version)
        found.last_ms = round(1e3 * now_s)
        found.images += images
        found.success.add(times.all)
        found.stages.add(times)
        found.batches[images].add(times)

    def failed(self, model: str, version: str, seconds: float) -> None:
        """Counts an inference that was refused or broke off, after so many seconds."""
        self._entry(model, version).fail.add(seconds)

    def of(self, model: str | None, version: str | None) -> tuple[VersionStats, ...]:
        """Those of a version, of a model's versions, or all."""
        return tuple(
            _read(*key, found)
            for key, found in self._versions.items()
            if model in (None, key[0]) and version in (None, key[1])
        )

    def _entry(self, model: str, version: str) -> _Version:
        key = (model, version)
        found = self._versions.setdefault(key, _Version())
        self._versions.move_to_end(key)
        if len(self._versions) > self._limit:
            self._versions.popitem(last=False)
        return found


def unused(model: str, version: str) -> VersionStats:
    """The statistics of a version that has not been asked yet."""
    return _read(model, version, _Version())


def _read(model: str, version: str, found: _Version) -> VersionStats:
    stages = found.stages
    return VersionStats(
        name=model,
        version=number_of(version),
        subnet_id=version,
        last_inference=found.last_ms,
        inference_count=found.images,
        execution_count=found.success.count,
        inference_stats=InferStats(
            success=found.success.read(),
            fail=found.fail.read(),
            queue=stages.queue.read(),
            compute_input=stages.input.read(),
            compute_infer=stages.infer.read(),
            compute_output=stages.output.read(),
            cache_hit=_NOTHING,
            cache_miss=_NOTHING,
        ),
        batch_stats=tuple(
            BatchStats(
                batch_size=size,
                compute_input=s.input.read(),
                compute_infer=s.infer.read(),
                compute_output=s.output.read(),
            )
            for size, s in sorted(found.batches.items())
        ),
    )
