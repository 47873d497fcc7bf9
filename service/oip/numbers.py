"""Sub-networks by number, for clients that take no other versions.

``perf_analyzer`` reads versions in statistics as 64-bit integers. So a sub-network has a number
beside its id: the first 60 bits of it, in decimal.
"""

import math
import time
from collections.abc import Callable

from model_store.cache import SubnetCache

_DIGITS = 15  # of the id, in hexadecimal: 60 bits
_LONGEST = 19  # of a number, in decimal; ids are longer
_REMEMBERED = 4096


def number_of(subnet_id: str) -> str:
    """The number of a sub-network."""
    return str(int(subnet_id[:_DIGITS], 16))


def is_number(version: str) -> bool:
    """Whether a version is a number, and not an id."""
    return version.isascii() and version.isdigit() and len(version) <= _LONGEST


class Numbers:
    """Numbers that were given out, kept where the cache keeps its requests: replicas share them."""

    def __init__(
        self, cache: SubnetCache, ttl_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Knows what the cache knows.

        Args:
            cache: of the sub-networks.
            ttl_s: seconds that the cache keeps a number.
            now: the clock, in seconds.
        """
        self._cache = cache
        self._ttl_s = ttl_s
        self._now = now
        self._written: dict[str, float] = {}

    async def remember(self, subnet_id: str) -> None:
        """Lets a sub-network in use be found by its number, on every replica."""
        if self._now() - self._written.get(subnet_id, -math.inf) >= self._ttl_s / 2:
            await self.write(subnet_id)

    async def write(self, subnet_id: str) -> None:
        """The same, though it was written just now: the cache may have lost it since."""
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        await self._cache.link(_key(number_of(subnet_id)), subnet_id)
        self._written[subnet_id] = self._now()

    async def find(self, number: str) -> str | None:
        """The sub-network with a number, where it was remembered and its time is not over."""
        return await self._cache.subnet_of(_key(number), counted=False)


def _key(number: str) -> str:
    return f"oip-version-{number}"
