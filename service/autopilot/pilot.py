"""The autopilot at work: it watches predictions and picks the level of those that allow it."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from model_store.subnet.search import InfeasibleBudget
from service.autopilot.controller import Rules, State, after
from service.autopilot.ladder import budgets
from service.autopilot.meter import Meter
from service.autopilot.metrics import AutopilotMetrics
from service.errors import ServiceError
from service.schemas import Budget, Dial
from service.subnets import Dialled, Subnets

log = logging.getLogger(__name__)

LEVELS = 4

_LADDERS = 256
"""Requests whose levels are known at a time, the ones used last."""


@dataclass(frozen=True)
class Adapted:
    """A sub-network, and how far below what was asked it is."""

    dialled: Dialled
    level: int


class Autopilot:
    """Walks adaptive requests down while the objective is missed, and back up after.

    The sub-networks of the lower levels are built and loaded when a request is first seen, in the
    background and one after the other, since under load is no time to build. Until they are there
    the request is answered as asked.
    """

    def __init__(
        self,
        objective_ms: float,
        subnets: Subnets,
        load: Callable[[str], Awaitable[None]],
        waiting: Callable[[], int],
        metrics: AutopilotMetrics,
    ) -> None:
        """Starts at level 0, knowing nothing.

        Args:
            objective_ms: what nine of ten predictions should take at most, queueing included.
            subnets: where sub-networks come from.
            load: makes a sub-network's session.
            waiting: how many predictions wait now.
            metrics: told of levels and steps.
        """
        self.rules = Rules(objective_ms, LEVELS)
        self.meter = Meter(self.rules.headroom * objective_ms)
        self._state = State()
        self._subnets = subnets
        self._load = load
        self._waiting = waiting
        self._metrics = metrics
        self._ladders: OrderedDict[str, tuple[Dial, ...]] = OrderedDict()
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._one = asyncio.Lock()

    @property
    def level(self) -> int:
        """Levels below what was asked; 0 is as asked."""
        return self._state.level

    async def dial(self, dial: Dial) -> Adapted:
        """The sub-network for an adaptive request at the present level.

        Raises:
            ServiceError: as :meth:`Subnets.dial`.
            InfeasibleBudget: no sub-network is that small.
        """
        model, request = self._subnets.request_of(dial)
        key = request.digest(model)
        ladder = self._ladders.get(key)
        level = self.level
        if ladder is None:
            level = 0
            asked = await self._subnets.dial(dial)
            self._prepare(key, dial)
        else:
            self._ladders.move_to_end(key)
            asked = await self._subnets.dial(ladder[level])
        self._metrics.predictions.labels(str(level)).inc()
        return Adapted(asked, level)

    async def tick(self) -> None:
        """Ends a window and decides."""
        window = self.meter.window(self._waiting())
        before, self._state = self._state, after(self._state, window, self.rules)
        self._metrics.level.set(self.level)
        if self.level != before.level:
            direction = "down" if self.level > before.level else "up"
            self._metrics.steps.labels(direction).inc()
            log.info(
                "autopilot goes %s to level %d of %d: %.0f ms, %d arrived, %d refused, %d wait",
                direction,
                self.level,
                self.rules.levels,
                window.latency_ms,
                window.arrived,
                window.refused,
                window.waiting,
            )

    async def prepared(self) -> None:
        """Waits until the levels of all requests seen so far are there."""
        await asyncio.gather(*self._preparing.values())

    async def close(self) -> None:
        """Ends what is being prepared."""
        tasks = list(self._preparing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _prepare(self, key: str, dial: Dial) -> None:
        if key in self._preparing or len(self._preparing) >= _LADDERS:
            return
        task = asyncio.create_task(self._build(key, dial))
        self._preparing[key] = task
        task.add_done_callback(lambda _: self._preparing.pop(key))

    async def _build(self, key: str, dial: Dial) -> None:
        model, request = self._subnets.request_of(dial)
        try:
            async with self._one:
                found = await asyncio.to_thread(budgets, model, request, self.rules.levels)
                ladder = tuple(dial.model_copy(update={"budget": Budget.of(b)}) for b in found)
                for rung in ladder:
                    dialled = await self._subnets.dial(rung, counted=False)
                    await self._load(dialled.subnet_id)
        except (ServiceError, InfeasibleBudget) as error:
            log.warning("no levels for an adaptive request: %s", error)  # the next one tries again
            return
        except Exception:
            log.exception("no levels for an adaptive request")
            return
        self._ladders[key] = ladder
        if len(self._ladders) > _LADDERS:
            self._ladders.popitem(last=False)
