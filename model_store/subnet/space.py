"""The search space: groups of channels that are cut together, and one width choice per group."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


def round_channels(channels: float, divisor: int) -> int:
    """Rounds a channel count to the nearest multiple of ``divisor``.

    It never takes away more than a tenth (the rule of the MobileNet family), so that narrow layers
    are not starved. This is the only place where a width ratio becomes a channel count.
    """
    rounded = max(divisor, int(channels / divisor + 0.5) * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


@dataclass(frozen=True)
class Group:
    """A set of channels that must be cut together.

    A residual stream of a stage, the hidden width of a block, the expanded width of an inverted
    residual, or the decoder of a task.
    """

    name: str
    ratios: tuple[float, ...]
    """Width ratios ω, ascending; the last is 1 (the full width)."""
    channels: tuple[int, ...]
    """The channel count of each ratio, strictly ascending."""
    task: str | None = None
    """The task whose decoder this is; None for a group of the shared encoder."""
    within: str | None = None
    """The group whose prefix this one reads. It is never wider than that group."""

    def __post_init__(self) -> None:
        if not self.ratios or len(self.ratios) != len(self.channels):
            raise ValueError(
                f"group {self.name!r}: as many ratios as channel counts expected, "
                f"found {len(self.ratios)} and {len(self.channels)}"
            )
        if any(a >= b for a, b in zip(self.channels, self.channels[1:], strict=False)):
            raise ValueError(f"group {self.name!r}: channel counts must ascend: {self.channels}")
        if self.channels[0] < 1:
            raise ValueError(f"group {self.name!r}: channel counts must be positive")

    @staticmethod
    def of(
        name: str,
        full: int,
        ratios: Sequence[float],
        divisor: int,
        task: str | None = None,
        within: str | None = None,
    ) -> "Group":
        """The group of ``full`` channels whose choices are ``ratios`` of them.

        Ratios that round to the same channel count are one choice (the largest ratio stands for
        it); ratio 1 is exactly ``full``, whether or not the divisor divides it.
        """
        by_channels: dict[int, float] = {}
        for ratio in sorted(ratios):
            if not 0.0 < ratio <= 1.0:
                raise ValueError(f"group {name!r}: width ratios lie in (0, 1], found {ratio}")
            count = full if ratio == 1.0 else min(full, round_channels(ratio * full, divisor))
            by_channels[count] = ratio
        counts = sorted(by_channels)
        return Group(name, tuple(by_channels[c] for c in counts), tuple(counts), task, within)

    def rounded(self, divisor: int) -> "Group":
        """The same group with only the choices that are multiples of this, and full width."""
        kept = [i for i, c in enumerate(self.channels) if c % divisor == 0 or c == self.full]
        return replace(
            self,
            ratios=tuple(self.ratios[i] for i in kept),
            channels=tuple(self.channels[i] for i in kept),
        )

    @property
    def full(self) -> int:
        """The channel count at full width."""
        return self.channels[-1]

    @property
    def smallest(self) -> int:
        """The smallest channel count."""
        return self.channels[0]

    def index_of(self, ratio: float) -> int:
        """The index of the choice nearest to ``ratio`` (of two, the wider one)."""
        distances = [abs(ratio - r) for r in self.ratios]
        nearest = min(distances)
        return max(i for i, d in enumerate(distances) if d <= nearest + 1e-9)


@dataclass(frozen=True)
class Architecture:
    """A sub-network: one channel count per group. Equal counts are the same sub-network."""

    names: tuple[str, ...]
    channels: tuple[int, ...]

    def __getitem__(self, group: str) -> int:
        return self._by_name[group]

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return dict(zip(self.names, self.channels, strict=True))

    def as_dict(self) -> dict[str, int]:
        """Group name to channel count."""
        return dict(self._by_name)

    @property
    def text(self) -> str:
        """The canonical text, e.g. ``prep=28 layer1=40``."""
        return " ".join(f"{n}={c}" for n, c in zip(self.names, self.channels, strict=True))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class SearchSpace:
    """All width choices: the encoder's groups first, then one decoder group per task."""

    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        names = [g.name for g in self.groups]
        if len(set(names)) != len(names):
            raise ValueError("group names must be unique")
        kinds = [g.task is not None for g in self.groups]
        # Searches move the encoder's widths; the decoders' follow from them.
        if all(kinds):
            raise ValueError("an encoder group is needed, found decoder groups alone")
        if kinds != sorted(kinds):
            raise ValueError("encoder groups come first, decoder groups after them")
        tasks = self.tasks
        if len(set(tasks)) != len(tasks):
            raise ValueError("a task has one decoder group")
        for group in self.groups:
            if group.within is not None and group.within not in names:
                raise ValueError(f"group {group.name!r} reads an unknown group {group.within!r}")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Group names, in order."""
        return tuple(g.name for g in self.groups)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Task names, in the order of their decoders."""
        return tuple(g.task for g in self.groups if g.task is not None)

    @cached_property
    def index(self) -> dict[str, int]:
        """Group name to its position."""
        return {g.name: i for i, g in enumerate(self.groups)}

    @cached_property
    def encoder(self) -> NDArray[np.int64]:
        """Positions of the encoder's groups."""
        return np.array([i for i, g in enumerate(self.groups) if g.task is None], dtype=np.int64)

    @cached_property
    def decoders(self) -> dict[str, int]:
        """Task name to the position of its decoder group."""
        return {g.task: i for i, g in enumerate(self.groups) if g.task is not None}

    @cached_property
    def full_channels(self) -> dict[str, int]:
        """Group name to its channel count at full width."""
        return {g.name: g.full for g in self.groups}

    @cached_property
    def choices_G(self) -> NDArray[np.int64]:
        """Number of choices of each group, shape [G]."""
        return np.array([len(g.channels) for g in self.groups], dtype=np.int64)

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """The channel counts of every group's choices, one group after the other."""
        return np.array([c for g in self.groups for c in g.channels], dtype=np.int64)

    @cached_property
    def _starts_G(self) -> NDArray[np.int64]:
        """Where each group's counts start."""
        return np.cumsum(self.choices_G) - self.choices_G

    @cached_property
    def _full_G(self) -> NDArray[np.float64]:
        return np.array([g.full for g in self.groups], dtype=np.float64)

    @cached_property
    def _limit_G(self) -> NDArray[np.int64] | None:
        """The group of which each reads a prefix, or itself; None if no group does."""
        if not any(g.within for g in self.groups):
            return None
        return np.array([self.index[g.within or g.name] for g in self.groups], dtype=np.int64)

    def channels_of(self, choices_PG: NDArray[np.int64]) -> NDArray[np.int64]:
        """Channel counts of a population given as choice indices, shape [P, G].

        A group that reads a prefix of another is clipped to it here, so that equal sub-networks
        have equal counts.
        """
        # Searches ask for one row at a time, where take() costs half of what indexing does.
        channels_PG = self._counts.take(choices_PG + self._starts_G)
        if self._limit_G is not None:
            np.minimum(channels_PG, channels_PG.take(self._limit_G, axis=1), out=channels_PG)
        return channels_PG

    def ratios_of(self, channels_PG: NDArray[np.int64]) -> NDArray[np.float64]:
        """Width ratios as the accuracy predictor reads them: channels over full width, [P, G]."""
        return channels_PG / self._full_G

    def architecture(self, choices_G: Iterable[int]) -> Architecture:
        """The sub-network of one choice index per group."""
        choices = np.fromiter(choices_G, dtype=np.int64, count=len(self.groups))
        if np.any(choices < 0) or np.any(choices >= self.choices_G):
            raise ValueError("a choice index lies outside its group's choices")
        return Architecture(self.names, tuple(self.channels_of(choices[None])[0].tolist()))

    def from_channels(self, channels: Mapping[str, int]) -> Architecture:
        """The sub-network with these channel counts.

        Raises:
            ValueError: a group is missing or unknown, or a count is not one of its choices.
        """
        if set(channels) != set(self.names):
            odd = sorted(set(channels) ^ set(self.names))
            raise ValueError(f"one channel count per group expected; missing or unknown: {odd}")
        found = Architecture(self.names, tuple(channels[n] for n in self.names))
        for group in self.groups:
            limit = channels[group.within] if group.within else group.full
            allowed = {min(c, limit) for c in group.channels}
            if channels[group.name] not in allowed:
                raise ValueError(
                    f"group {group.name!r} has {channels[group.name]} channels, "
                    f"its choices are {sorted(allowed)}"
                )
        return found

    def largest(self) -> Architecture:
        """Every group at full width: the SuperNet itself."""
        return self.architecture(self.choices_G - 1)

    def smallest(self) -> Architecture:
        """Every group at its smallest width."""
        return self.architecture(np.zeros_like(self.choices_G))

    def widest_of_prefixes(self) -> Architecture:
        """Every group at full width but those within others, which read the shortest prefixes."""
        return self.architecture(
            0 if g.within is not None else len(g.channels) - 1 for g in self.groups
        )

    def uniform(self, ratio: float) -> Architecture:
        """Every group at the choice nearest to one ratio."""
        return self.architecture(g.index_of(ratio) for g in self.groups)

    def random(self, rng: np.random.Generator) -> Architecture:
        """Every group at a width drawn uniformly and independently (non-uniform slimming)."""
        return self.architecture(rng.integers(0, self.choices_G))
