"""Sub-networks that were built before: request digest -> sub-network -> ONNX file.

Two levels: *request* maps the digest of a request to a ``subnet_id``, *subnet*
maps that to metadata and ONNX bytes. Both are checked by digest on read; an entry that fails the
check is counted, is a miss, and is written anew. One build for many equal requests, within the
process and, with a lock in Redis, across replicas.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from model_store.cache_flights import Flights
from model_store.cache_lock import BuildLock
from model_store.cache_memory import MemoryEntries
from model_store.cache_records import (
    CorruptEntryError,
    StoredSubnet,
    dump_subnet,
    load_subnet,
    seal,
    unseal,
)
from model_store.cache_redis import Entries, RedisDownError
from model_store.subnetwork import Subnet

log = logging.getLogger(__name__)

Level = Literal["request", "subnet"]
Outcome = Literal["hit", "miss", "corrupt"]
Count = Callable[[Level, Outcome], None]

_PREFIX = "slimdial:1"  # the number grows with the format of the entries
_MOST_OPENED = 256
_ID = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


@dataclass(frozen=True)
class CacheLimits:
    """Times in seconds, sizes in bytes."""

    request_ttl_s: float = 86_400.0
    subnet_ttl_s: float = 86_400.0
    lease_s: float = 5.0
    """How long a replica that died while building keeps the others waiting."""
    longest_build_s: float = 120.0
    """How long a replica that hangs while building keeps the others waiting."""


class SubnetCache:
    """The two levels over Redis, with memory to fall back on."""

    def __init__(self, entries: Entries, limits: CacheLimits, count: Count) -> None:
        """The cache.

        Args:
            entries: where entries are kept.
            limits: times to live and sizes.
            count: called with level and outcome of every lookup.
        """
        self.entries = entries
        self._limits = limits
        self._count = count
        self._flights: Flights[tuple[StoredSubnet, bool]] = Flights()
        self._files: Flights[bytes | None] = Flights(while_wanted=True)
        self._reading = asyncio.Lock()
        # Popular sub-networks are read again and again: what was checked byte for byte is.
        self._opened = lru_cache(_MOST_OPENED)(_opened)
        self._answers: dict[str, tuple[str, StoredSubnet]] = {}
        self._lock = BuildLock(entries, limits.lease_s, limits.longest_build_s)

    @property
    def memory(self) -> MemoryEntries:
        """What this process keeps itself."""
        return self.entries.memory

    async def subnet_of(self, request_digest: str, counted: bool = True) -> str | None:
        """The sub-network that a request was answered with before."""
        key = _request_key(request_digest)
        sealed = await self.entries.get(key)
        if sealed is None:
            if counted:
                self._count("request", "miss")
            return None
        try:
            subnet_id = unseal(key, sealed).decode()
        except (CorruptEntryError, UnicodeDecodeError) as error:
            await self._discard("request", key, error)
            return None
        if counted:
            self._count("request", "hit")
        return subnet_id

    async def answered(self, request_digest: str) -> tuple[str | None, StoredSubnet | None]:
        """What a request was answered with before: ``subnet_id``, and :meth:`find` of that."""
        known = self._answers.get(request_digest)
        if known is not None and await self._is_still(request_digest, known):
            self._count("request", "hit")
            self._count("subnet", "hit")
            return known
        subnet_id = await self.subnet_of(request_digest)
        stored = None if subnet_id is None else await self.find(subnet_id)
        if subnet_id is not None and stored is not None:
            self._answers[request_digest] = subnet_id, stored
            if len(self._answers) > _MOST_OPENED:
                del self._answers[next(iter(self._answers))]
        return subnet_id, stored

    async def _is_still(self, request_digest: str, known: tuple[str, StoredSubnet]) -> bool:
        """Whether both levels say what they said before: asked at once, not one after the other."""
        subnet_id, stored = known
        request_key, subnet_key = _request_key(request_digest), _subnet_key(subnet_id)
        found = await self.entries.together((request_key, subnet_key), _onnx_key(stored))
        if found is None:
            return False
        (request, subnet), size = found
        try:
            return (
                request is not None
                and subnet is not None
                and unseal(request_key, request) == subnet_id.encode()
                and self._opened(subnet_key, subnet) == stored
                and size == stored.size
            )
        except CorruptEntryError:
            return False

    async def link(self, request_digest: str, subnet_id: str) -> None:
        """Remembers what a request is answered with."""
        key = _request_key(request_digest)
        await self.entries.put(key, seal(key, subnet_id.encode(), 0), self._limits.request_ttl_s)

    async def find(self, subnet_id: str) -> StoredSubnet | None:
        """A sub-network's description, if its ONNX file is there as well."""
        stored = await self._read(subnet_id)
        if stored is None:
            return None
        present = await self.entries.size(_onnx_key(stored)) == stored.size
        self._count("subnet", "hit" if present else "miss")
        return stored if present else None

    async def described(self, subnet_id: str) -> StoredSubnet | None:
        """A sub-network's description, whether or not its ONNX file is still there."""
        stored = await self._read(subnet_id)
        if stored is not None:
            self._count("subnet", "hit")
        return stored

    async def onnx(self, stored: StoredSubnet) -> bytes | None:
        """The ONNX file of a described sub-network, checked against its digest.

        Read once for all who ask for it at a time.
        """
        return await self._files.run(stored.sha256, lambda: self._read_onnx(stored))

    async def _read_onnx(self, stored: StoredSubnet) -> bytes | None:
        key = _onnx_key(stored)
        # Several at once would each take as long as all together: longer than an answer may.
        async with self._reading:
            content = await self.entries.get(key)
        if content is None:
            self._count("subnet", "miss")
            return None
        if await asyncio.to_thread(_sha256, content) != stored.sha256:
            await self._discard("subnet", key, CorruptEntryError("the ONNX digest does not match"))
            return None
        self._count("subnet", "hit")
        return content

    async def build_once(
        self, subnet_id: str, build: Callable[[], Awaitable[Subnet]]
    ) -> tuple[StoredSubnet, bool]:
        """Builds a sub-network that was not found, unless somebody else is at it.

        However many callers ask for one ``subnet_id`` at a time, ``build`` runs once: callers in
        this process share it, other replicas wait for the entry. A caller that goes away does not
        end it.

        Returns:
            The description, and whether it was built here (False: by another replica).
        """
        return await self._flights.run(subnet_id, lambda: self._build_alone(subnet_id, build))

    async def _build_alone(
        self, subnet_id: str, build: Callable[[], Awaitable[Subnet]]
    ) -> tuple[StoredSubnet, bool]:
        async def done() -> bool:
            return await self._peek(subnet_id) is not None

        lock, counter = f"{_PREFIX}:lock:{subnet_id}", f"{_PREFIX}:tokens"
        async with self._lock.hold(lock, counter, _subnet_key(subnet_id), done) as token:
            # Between the caller's lookup and the lock another replica may have finished.
            found = await self._peek(subnet_id)
            if found is not None:
                return found, False
            subnet = await build()
            # It is what the lock and its token are for.
            assert subnet.subnet_id == subnet_id  # noqa: S101
            return await self._store(subnet, token), True

    async def _read(self, subnet_id: str) -> StoredSubnet | None:
        """A description; counts a miss or a corrupt entry, and leaves a hit to the caller."""
        if not _ID.fullmatch(subnet_id):
            return None
        key = _subnet_key(subnet_id)
        sealed = await self.entries.get(key)
        if sealed is None:
            self._count("subnet", "miss")
            return None
        try:
            return self._opened(key, sealed)
        except CorruptEntryError as error:
            await self._discard("subnet", key, error)
            return None

    async def _peek(self, subnet_id: str) -> StoredSubnet | None:
        """As :meth:`find`, not counted."""
        key = _subnet_key(subnet_id)
        sealed = await self.entries.get(key)
        try:
            stored = None if sealed is None else self._opened(key, sealed)
        except CorruptEntryError:
            return None
        if stored and await self.entries.size(_onnx_key(stored)) == stored.size:
            return stored
        return None

    async def _store(self, subnet: Subnet, token: int | None) -> StoredSubnet:
        digest = await asyncio.to_thread(_sha256, subnet.onnx)
        stored = StoredSubnet(subnet.metadata, digest, len(subnet.onnx))
        key, ttl_s = _subnet_key(subnet.subnet_id), self._limits.subnet_ttl_s
        sealed = seal(key, dump_subnet(stored), token or 0)
        await self.entries.put(_onnx_key(stored), subnet.onnx, ttl_s)
        if token is None:
            await self.entries.put(key, sealed, ttl_s)
            return stored
        try:
            written = await self._lock.write(token, key, sealed, ttl_s)
        except RedisDownError as error:
            log.warning("Redis did not take sub-network %s: %s", subnet.subnet_id, error)
            self.entries.remember(key, sealed, saved=False)
            return stored
        if not written:  # a later holder has written: its file is the one that is served
            return await self._peek(subnet.subnet_id) or stored
        self.entries.remember(key, sealed, saved=True)
        return stored

    async def _discard(self, level: Level, key: str, error: Exception) -> None:
        log.warning("corrupt cache entry %s dropped: %s", key, error)
        self._count(level, "corrupt")
        self._count(level, "miss")
        await self.entries.drop(key)


def _opened(key: str, sealed: bytes) -> StoredSubnet:
    return load_subnet(key, unseal(key, sealed))


def _request_key(digest: str) -> str:
    return f"{_PREFIX}:request:{digest}"


def _subnet_key(subnet_id: str) -> str:
    return f"{_PREFIX}:subnet:{subnet_id}"


def _onnx_key(stored: StoredSubnet) -> str:
    # By content: a description and its file cannot be mixed up, whoever writes when.
    return f"{_PREFIX}:onnx:{stored.sha256}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
