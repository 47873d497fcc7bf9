"""Inference sessions held ready: least recently used ones go when there are too many.

Memory of closed sessions goes back to the system (``malloc_trim``): without that, session churn
grows the process until the kernel kills it (onnxruntime#18749, #26831).
"""

import asyncio
import contextlib
import ctypes
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import onnxruntime as ort  # type: ignore[import-untyped]

from model_store.cache_flights import Flights
from model_store.subnetwork import SubnetMetadata
from service.metrics import Metrics
from service.providers import Device

log = logging.getLogger(__name__)

_FIXED_BYTES = 2 << 20


def estimated_bytes(onnx_bytes: int) -> int:
    """Memory of a session: measured 82 MB for a 38.5 MB model (packed weights and arena)."""
    return _FIXED_BYTES + 2 * onnx_bytes


@dataclass
class Held:
    """A sub-network ready to predict."""

    metadata: SubnetMetadata
    session: ort.InferenceSession
    bytes: int
    users: int = 0


Load = Callable[[], Awaitable[tuple[SubnetMetadata, bytes]]]


class Sessions:
    """Sessions by ``subnet_id``, bounded in number and in estimated bytes.

    A session that is in use when its turn comes is closed by its last user.
    """

    def __init__(
        self, device: Device, limit: int, limit_bytes: int, executor: Executor, metrics: Metrics
    ) -> None:
        """Holds nothing yet.

        Args:
            device: makes the sessions.
            limit: the most sessions held.
            limit_bytes: the most estimated bytes held; one session is held even beyond it.
            executor: where sessions are made and closed.
            metrics: told what is held.
        """
        self._device = device
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._executor = executor
        self._metrics = metrics
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._flights: Flights[None] = Flights()

    def __contains__(self, subnet_id: str) -> bool:
        return subnet_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    @property
    def bytes(self) -> int:
        """Estimated memory of the sessions held."""
        return sum(h.bytes for h in self._held.values())

    @contextlib.asynccontextmanager
    async def use(self, subnet_id: str, load: Load) -> AsyncIterator[Held]:
        """A sub-network's session, made if it is not held; however many ask, it is made once.

        Args:
            subnet_id: which one.
            load: gets metadata and ONNX file.
        """
        while (held := self._held.get(subnet_id)) is None:
            # Several users may find it gone again before they run: hence the loop.
            await self._flights.run(subnet_id, lambda: self._make(subnet_id, load))
        self._held.move_to_end(subnet_id)
        held.users += 1
        try:
            yield held
        finally:
            held.users -= 1
            if not held.users and self._held.get(subnet_id) is not held:
                self._executor.submit(_close, held)

    async def _make(self, subnet_id: str, load: Load) -> None:
        metadata, content = await load()
        loop = asyncio.get_running_loop()
        session = await loop.run_in_executor(self._executor, self._device.session, content)
        self._held[subnet_id] = Held(metadata, session, estimated_bytes(len(content)))
        self._shrink()

    def _shrink(self) -> None:
        while len(self._held) > self._limit or (
            len(self._held) > 1 and self.bytes > self._limit_bytes
        ):
            _, held = self._held.popitem(last=False)
            if not held.users:
                self._executor.submit(_close, held)
        self._metrics.sessions.set(len(self._held))
        self._metrics.session_bytes.set(self.bytes)


def _close(held: Held) -> None:
    # Only this reference is left: dropping it frees the session.
    del held.session
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)
