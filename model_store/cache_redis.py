"""Cache entries in Redis, and in memory while Redis cannot be reached.

A Redis that is away costs one failed call: after it every call goes to memory at once, until
:meth:`Entries.probe` (called from time to time) finds Redis again and hands over what was kept.
"""

import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from model_store.cache_memory import MemoryEntries

log = logging.getLogger(__name__)

SMALL_BYTES = 1 << 16
"""Entries up to this size are kept in memory as well, so that a lost Redis loses no identity."""


T = TypeVar("T")


class RedisDownError(Exception):
    """Redis cannot be reached, or will not do what was asked."""


class RedisRefusedError(RedisDownError):
    """Redis is there and refused: a key of another type, memory full, a read-only replica."""


def connect(url: str, timeout_s: float = 2.0) -> Redis:
    """A client that fails fast: one immediate retry (for a connection gone stale), then an error.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout_s: seconds to wait for a connection and for each read.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=32,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


class Entries:
    """Byte strings by key with a time to live: in Redis, or in memory while Redis is away."""

    def __init__(self, redis: Redis, memory: MemoryEntries, ttl_s: float) -> None:
        """Starts as *away*: the first :meth:`probe` finds Redis.

        Args:
            redis: the client; closing it is the caller's business.
            memory: where entries go while Redis is away.
            ttl_s: seconds that an entry written from memory lives on in Redis.
        """
        self.redis = redis
        self.memory = memory
        self.up = False
        self.reason = "not connected yet"
        self._ttl_ms = int(ttl_s * 1000)

    async def get(self, key: str) -> bytes | None:
        """The value under a key. A key of another type reads as b"", which no digest matches."""
        if self.up:
            value: bytes | str | None
            try:
                value = await self.call(self.redis.get(key))
            except RedisRefusedError:
                return b""
            except RedisDownError:
                value = None
            if value is not None:
                return cast("bytes", value)
        return self.memory.get(key, saved_too=not self.up)

    async def size(self, key: str) -> int:
        """Bytes of the value under a key, 0 without one."""
        if self.up:
            try:
                size = cast("int", await self.call(self.redis.strlen(key)))
            except RedisDownError:
                size = 0
            if size or self.up:
                return size or len(self.memory.get(key, saved_too=False) or b"")
        return len(self.memory.get(key, saved_too=True) or b"")

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Writes a value; never fails."""
        saved = False
        if self.up:
            try:
                await self.call(self.redis.set(key, value, px=int(ttl_s * 1000)))
                saved = True
            except RedisDownError as error:
                log.warning("Redis did not take %s: %s; kept in memory", key, error)
        self.remember(key, value, saved)

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
                await self.call(self.redis.delete(key))
            except RedisDownError as error:
                log.warning("Redis did not drop %s: %s", key, error)

    async def probe(self) -> bool:
        """Asks Redis whether it is there; on its return hands over what memory kept for it."""
        was_up = self.up
        try:
            await self.call(self.redis.ping())
        except RedisDownError:
            return False
        if not was_up:
            self.up = True
            kept = self.memory.unsaved()
            for key, value in kept:
                await self.put(key, value, self._ttl_ms / 1000)
            log.info("Redis is reachable; %d entries handed over from memory", len(kept))
        return self.up

    async def call(self, command: Awaitable[T]) -> T:
        """Awaits a Redis command and notes whether Redis is there.

        Raises:
            RedisDownError: Redis is away; RedisRefusedError where it answered with an error.
        """
        try:
            return await command
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self.reason = self._brief(error)
            if self.up:
                log.warning("Redis is unreachable, going on from memory: %s", self.reason)
            self.up = False
            raise RedisDownError(self.reason) from error
        except RedisError as error:
            raise RedisRefusedError(f"{type(error).__name__}: {error}") from error

    def _brief(self, error: Exception) -> str:
        """An error in words: with host and port, never the password, nor a socket's folder."""
        text = f"{type(error).__name__}: {error}"
        socket = self.redis.connection_pool.connection_kwargs.get("path")
        return text if socket is None else text.replace(socket, Path(socket).name)
