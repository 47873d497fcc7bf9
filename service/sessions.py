"""Inference sessions held ready: those that were not used for longest go when memory is short.

Memory of closed sessions goes back to the system (``malloc_trim``): without that, session churn
grows the process until the kernel kills it (onnxruntime#18749, #26831).
"""

import asyncio
import contextlib
import ctypes
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import onnxruntime as ort  # type: ignore[import-untyped]

from model_store.cache_flights import Flights
from model_store.subnetwork import SubnetMetadata
from service.device import Device
from service.metrics import Metrics

log = logging.getLogger(__name__)

_FIXED_BYTES = 1 << 20


def estimated_bytes(onnx_bytes: int) -> int:
    """Memory of a session without an arena: weights, packed for the CPU, and the graph."""
    return _FIXED_BYTES + onnx_bytes * 5 // 4


@dataclass
class Held:
    """A sub-network ready to predict."""

    metadata: SubnetMetadata
    session: ort.InferenceSession
    bytes: int


Loaded = tuple[SubnetMetadata, bytes]
Load = Callable[[], Awaitable[Loaded]]


class Sessions:
    """Sessions by ``subnet_id``, of any of the models served, within a budget of estimated bytes.

    A session is made once however many ask for it, in an executor of its own, so that predictions
    with others go on meanwhile. Sessions in use, or waited for, are pinned: the pool exceeds its
    budget where those alone do.
    """

    def __init__(
        self, device: Device, limit_bytes: int, executor: Executor, metrics: Metrics
    ) -> None:
        """Holds nothing yet.

        Args:
            device: makes the sessions.
            limit_bytes: the most estimated bytes held.
            executor: where sessions are made and closed; not where predictions run.
            metrics: told what is held.
        """
        self._device = device
        self._limit_bytes = limit_bytes
        self._executor = executor
        self._metrics = metrics
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._unwanted: set[str] = set()
        self._bytes = 0
        self._loads: Flights[None] = Flights(while_wanted=True)
        self._openings: Flights[None] = Flights()

    def __contains__(self, subnet_id: str) -> bool:
        return subnet_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    @property
    def bytes(self) -> int:
        """Estimated memory of the sessions held."""
        return self._bytes

    def held(self) -> dict[str, SubnetMetadata]:
        """What is held, by ``subnet_id``; that used longest ago first."""
        return {subnet_id: held.metadata for subnet_id, held in self._held.items()}

    def discard(self, subnet_ids: Iterable[str]) -> None:
        """Closes sessions; those in use as soon as they no longer are."""
        self._unwanted |= set(subnet_ids) & set(self._held)
        self._shrink()

    @contextlib.asynccontextmanager
    async def use(self, subnet_id: str, load: Load) -> AsyncIterator[Held]:
        """As :meth:`hold`, for a block."""
        held = await self.hold(subnet_id, load)
        try:
            yield held
        finally:
            self.release(subnet_id)

    async def hold(self, subnet_id: str, load: Load) -> Held:
        """A sub-network's session, made if it is not held; however many ask, it is made once.

        It stays open until it is released.

        Args:
            subnet_id: which one.
            load: gets metadata and ONNX file.
        """
        self._unwanted.discard(subnet_id)
        self._pins[subnet_id] += 1  # before it is there: others must not drive it out meanwhile
        try:
            if subnet_id not in self._held:
                await self._loads.run(subnet_id, lambda: self._make(subnet_id, load))
            self._held.move_to_end(subnet_id)
            return self._held[subnet_id]
        except BaseException:
            self.release(subnet_id)
            raise

    def release(self, subnet_id: str) -> None:
        """Gives back what :meth:`hold` gave."""
        self._pins[subnet_id] -= 1
        if not self._pins[subnet_id]:
            del self._pins[subnet_id]
            self._shrink()

    async def _make(self, subnet_id: str, load: Load) -> None:
        loaded = await load()
        if subnet_id not in self._held:  # one begun for those who left may be there by now
            await self._openings.run(subnet_id, lambda: self._open(subnet_id, loaded))

    async def _open(self, subnet_id: str, loaded: Loaded) -> None:
        metadata, content = loaded
        loop = asyncio.get_running_loop()
        session = await loop.run_in_executor(self._executor, self._device.session, content)
        held = Held(metadata, session, estimated_bytes(len(content)))
        self._held[subnet_id] = held
        self._bytes += held.bytes
        self._shrink()
        self._tell()

    def _shrink(self) -> None:
        """Closes what nobody uses: unwanted sessions, and the oldest down to the budget."""
        if self._bytes <= self._limit_bytes and not self._unwanted:
            return
        for subnet_id in [k for k in self._held if k not in self._pins]:
            if self._bytes > self._limit_bytes or subnet_id in self._unwanted:
                self._close(subnet_id)
        self._tell()

    def _close(self, subnet_id: str) -> None:
        held = self._held.pop(subnet_id)
        self._unwanted.discard(subnet_id)
        self._bytes -= held.bytes
        self._executor.submit(_close, held)

    def _tell(self) -> None:
        self._metrics.sessions.set(len(self._held))
        self._metrics.session_bytes.set(self._bytes)


def _close(held: Held) -> None:
    # Only this reference is left: dropping it frees the session.
    del held.session
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)
