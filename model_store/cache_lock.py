"""One builder at a time across replicas: a lock in Redis with expiry, renewal and a fencing token.

The holder renews its lease; when it dies, the lease runs out and the next one gets the lock. Tokens
only grow: a holder that was paused beyond its lease finds that a later token has written, and its
own late write is refused (M. Kleppmann, "How to do distributed locking", 2016).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from model_store.cache_periodic import every
from model_store.cache_redis import Entries, RedisDownError, is_number

log = logging.getLogger(__name__)

# A sealed entry starts with the token of its writer (model_store.cache_records).
_FENCE = """
local function fence(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then return 0 end
  local digits = string.match(value, '^(%d+)\\n')
  if not digits or #digits > 15 then return 0 end
  return tonumber(digits)
end
"""

# The counter may have been lost with the entry still there: a new token is above both.
_ACQUIRE = (
    _FENCE
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local token = redis.call('INCR', KEYS[2])
local last = fence(KEYS[3])
if token <= last then
  token = last + 1
  redis.call('SET', KEYS[2], token)
end
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token
"""
)

_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

_WRITE = (
    _FENCE
    + """
if fence(KEYS[1]) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
)

_POLL_S = 0.03


class BuildLock:
    """The right to build one sub-network."""

    def __init__(self, entries: Entries, lease_s: float, longest_s: float) -> None:
        """Both times in seconds.

        Args:
            entries: the Redis that holds the locks.
            lease_s: how long a holder that died blocks the others.
            longest_s: how long a holder that lives, but hangs, blocks the others.
        """
        self._entries = entries
        self._lease_s = lease_s
        self._longest_s = longest_s

    @contextlib.asynccontextmanager
    async def hold(
        self, lock: str, counter: str, entry: str, done: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[int | None]:
        """Waits for the lock, or for another replica to have done the work.

        Args:
            lock: key of the lock.
            counter: key that tokens are drawn from.
            entry: key of the sealed entry that the work writes.
            done: tells whether the work has been done meanwhile.

        Yields:
            The fencing token, or None where nothing is held: the work has been done meanwhile,
            or there is no lock to be had from Redis and every replica is on its own.
        """
        token = await self._acquire(lock, counter, entry, done)
        if token is None:
            yield None
            return
        deadline = time.monotonic() + self._longest_s

        async def renew() -> None:
            if time.monotonic() < deadline:
                with contextlib.suppress(RedisDownError):
                    await self._script(_RENEW, [lock], [token, int(self._lease_s * 1000)])

        try:
            async with every(self._lease_s / 3, renew):
                yield token
        finally:
            with contextlib.suppress(RedisDownError):
                await self._script(_RELEASE, [lock], [token])

    async def write(self, token: int, entry: str, sealed: bytes, ttl_s: float) -> bool:
        """Writes a sealed entry, unless a later token has written it.

        Raises:
            RedisDownError: nothing was written.
        """
        arguments: list[bytes | int] = [token, sealed, int(ttl_s * 1000)]
        return bool(await self._script(_WRITE, [entry], arguments))

    async def _acquire(
        self, lock: str, counter: str, entry: str, done: Callable[[], Awaitable[bool]]
    ) -> int | None:
        # Longer than any holder keeps it: a lock that is still there then is nobody's.
        deadline = time.monotonic() + self._longest_s + self._lease_s
        while self._entries.up:
            try:
                token = await self._script(
                    _ACQUIRE, [lock, counter, entry], [int(self._lease_s * 1000)]
                )
            except RedisDownError as error:
                log.warning("no build lock: %s", error)
                return None
            if token:
                return token
            await asyncio.sleep(_POLL_S)
            if await done():
                return None
            if time.monotonic() > deadline:
                log.warning("the build lock %s does not expire; going on without it", lock)
                return None
        return None

    async def _script(self, script: str, keys: list[str], arguments: list[bytes | int]) -> int:
        if not self._entries.up:
            raise RedisDownError(self._entries.reason)
        return await self._entries.call(
            lambda: self._entries.redis.eval(script, len(keys), *keys, *arguments), is_number
        )
