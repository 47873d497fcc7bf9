"""Cache entries in Redis, and in memory while Redis cannot be reached or does not take them.

A Redis that is away costs one failed call: after it every call goes to memory at once, until
:meth:`Entries.probe` (called from time to time) finds Redis again and hands over what was kept.
Whatever listens there is not trusted to be Redis: an answer that is none counts as away.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeGuard, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from model_store.cache_memory import MemoryEntries

log = logging.getLogger(__name__)

SMALL_BYTES = 1 << 16
"""Entries up to this size are kept in memory as well, so that a lost Redis loses no identity."""

_CONNECTIONS = 32

T = TypeVar("T")


class RedisDownError(Exception):
    """Redis cannot be reached, or will not do what was asked."""


class RedisRefusedError(RedisDownError):
    """Redis is there and refused: a key of another type, memory full, a read-only replica."""


def connect(url: str, timeout_s: float = 2.0) -> Redis:
    """A client that fails fast: one immediate retry (for a connection gone stale), then an error.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout_s: seconds to wait for connecting and for each answer; what took so long is not
            tried again.
    """
    pool = ConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),
    )
    return Redis.from_pool(pool)


class Entries:
    """Byte strings by key with a time to live: in Redis, or in memory while Redis is away.

    What memory alone holds is newer than what Redis holds under the same key, and is read first.
    """

    def __init__(self, redis: Redis, memory: MemoryEntries, ttl_s: float) -> None:
        """Starts as *away*: the first :meth:`probe` finds Redis.

        Args:
            redis: the client, which :meth:`close` closes.
            memory: where entries go while Redis is away or refuses them.
            ttl_s: seconds that an entry written from memory lives on in Redis.
        """
        self.redis = redis
        self.memory = memory
        self.up = False
        self.reason = "not connected yet"
        """Why it is not up."""
        self.refused: str | None = None
        """Why Redis does not take entries, though it is there."""
        self._ttl_s = ttl_s
        self._turns = asyncio.Semaphore(_CONNECTIONS)

    async def get(self, key: str) -> bytes | None:
        """The value under a key. A key of another type reads as b"", which no digest matches."""
        kept = self.memory.get(key, saved_too=not self.up)
        if kept is not None or not self.up:
            return kept
        try:
            return await self.call(lambda: self.redis.get(key), _is_value)
        except RedisRefusedError as error:
            if "WRONGTYPE" in str(error):
                return b""
        except RedisDownError:
            pass
        return self.memory.get(key, saved_too=True)

    async def together(
        self, keys: Sequence[str], sized: str
    ) -> tuple[list[bytes | None], int] | None:
        """The values under some keys and the size of another one's, in one round trip.

        Returns:
            None where that is not possible: memory has to be asked, or Redis did not answer.
        """
        if not self.up or any(
            self.memory.get(key, saved_too=False) is not None for key in (*keys, sized)
        ):
            return None
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys:
            pipeline.get(key)
        pipeline.strlen(sized)
        try:
            *found, size = await self.call(pipeline.execute, _is_list)
        except RedisDownError:
            return None
        values = [value for value in found if _is_value(value)]
        return (values, size) if is_number(size) and len(values) == len(keys) else None

    async def size(self, key: str) -> int:
        """Bytes of the value under a key, 0 without one."""
        kept = self.memory.get(key, saved_too=not self.up)
        if kept is not None or not self.up:
            return len(kept or b"")
        try:
            return await self.call(lambda: self.redis.strlen(key), is_number)
        except RedisDownError:
            return len(self.memory.get(key, saved_too=not self.up) or b"")

    async def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Writes a value; never fails. Tells whether Redis has it."""
        saved = False
        if self.up:
            try:
                await self.call(lambda: self.redis.set(key, value, px=int(ttl_s * 1000)), _is_yes)
                saved = True
            except RedisRefusedError as error:
                if self.refused is None:
                    log.warning("Redis refuses entries, keeping them in memory: %s", error)
                self.refused = str(error)
            except RedisDownError:
                pass  # said by the call
        if saved and self.refused is not None:
            log.info("Redis takes entries again")
            self.refused = None
        self.remember(key, value, saved)
        return saved

    def remember(self, key: str, value: bytes, saved: bool) -> None:
        """Keeps a value in memory where it is small or is nowhere else."""
        if saved and len(value) > SMALL_BYTES:
            self.memory.drop(key)
        else:
            self.memory.put(key, value, saved)

    async def drop(self, key: str) -> None:
        """Forgets a key everywhere."""
        self.memory.drop(key)
        if self.up:
            try:
                await self.call(lambda: self.redis.delete(key), is_number)
            except RedisDownError as error:
                log.warning("Redis did not drop %s: %s", key, error)

    async def probe(self) -> bool:
        """Asks Redis whether it is there, and hands over what memory alone holds."""
        try:
            await self.call(self.redis.ping, _is_yes)
        except RedisRefusedError as error:
            self._lost(str(error))
        except RedisDownError:
            pass
        else:
            if not self.up:
                log.info("Redis is reachable")
                self.up = True
            await self._hand_over()
        return self.up

    async def _hand_over(self) -> None:
        kept = self.memory.unsaved()
        if not kept:
            self.refused = None  # what it refused is no longer wanted; the next entry will tell
        # The smallest first: where Redis is full, an attempt that it refuses costs little.
        for key, value in sorted(kept, key=lambda entry: len(entry[1])):
            if not await self.put(key, value, self._ttl_s):
                return

    async def close(self) -> None:
        """Leaves Redis once the calls under way have ended: one that is cancelled ends later."""
        self.up, self.reason = False, "it was left"
        for _ in range(_CONNECTIONS):
            await self._turns.acquire()
        await self.redis.aclose()
        for _ in range(_CONNECTIONS):  # who waited goes to memory
            self._turns.release()

    async def call(
        self, command: Callable[[], Awaitable[object]], expected: Callable[[object], TypeGuard[T]]
    ) -> T:
        """Awaits a Redis command and notes whether Redis is there.

        A command waits until there is a connection for it: to be busy is not to be away.

        Args:
            command: of redis-py.
            expected: whether an answer is one to this command.

        Raises:
            RedisDownError: Redis is away; RedisRefusedError where it answered with an error.
        """
        up = self.up
        async with self._turns:
            if up and not self.up:  # lost by those before it
                raise RedisDownError(self.reason)
            try:
                answer = await _interrupted(command())
            except ResponseError as error:
                raise RedisRefusedError(f"{type(error).__name__}: {error}") from error
            except Exception as error:
                # Bytes that are no answer make redis-py raise whatever its parser stumbles over.
                raise self._lost(self._brief(error)) from error
        if not expected(answer):
            raise self._lost(f"what listens there is not Redis: it answers {type(answer).__name__}")
        return answer

    def _lost(self, reason: str) -> RedisDownError:
        self.reason = reason
        if self.up:
            log.warning("Redis is unreachable, going on from memory: %s", reason)
        self.up = False
        return RedisDownError(reason)

    def _brief(self, error: Exception) -> str:
        """An error in words: with host and port, never the password, nor a socket's folder."""
        text = f"{type(error).__name__}: {error}"
        socket = self.redis.connection_pool.connection_kwargs.get("path")
        return text if socket is None else text.replace(socket, Path(socket).name)


async def _interrupted(command: Awaitable[object]) -> object:
    """Awaits a command, and is cancelled where its task is.

    Python 3.11's ``asyncio.wait_for``, which redis-py sends with, swallows a cancellation that
    arrives just as the command is sent.
    """
    task = cast("asyncio.Task[object]", asyncio.current_task())
    cancelling = task.cancelling()
    try:
        return await command
    finally:
        if task.cancelling() > cancelling:
            raise asyncio.CancelledError


def is_number(answer: object) -> TypeGuard[int]:
    """Whether this is an integer reply."""
    return isinstance(answer, int)


def _is_value(answer: object) -> TypeGuard[bytes | None]:
    return answer is None or isinstance(answer, bytes)


def _is_list(answer: object) -> TypeGuard[list[object]]:
    return isinstance(answer, list)


def _is_yes(answer: object) -> TypeGuard[bool]:
    return answer is True
