"""From a dial to a sub-network: look it up, else search, extract, calibrate and keep it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from model_store.cache import SubnetCache
from model_store.cache_flights import Flights
from model_store.cache_records import StoredSubnet
from model_store.calibration import Providers
from model_store.latency import LatencyProfile, Place
from model_store.published import PublishedModel
from model_store.subnetwork import (
    Choice,
    Subnet,
    SubnetMetadata,
    SubnetRequest,
    architecture_of,
    build,
    choose,
)
from model_store.subnetwork import subnet_id as identify
from service.catalog import Catalog
from service.costs import Spent, spent_by_known
from service.errors import NotFoundError, UnprocessableError
from service.metrics import Metrics
from service.profiles import Profiles
from service.scheduling.gate import Gate
from service.schemas import Dial

log = logging.getLogger(__name__)

T = TypeVar("T")

STAGES = ("search", "extract", "calibrate", "store")


@dataclass(frozen=True)
class Building:
    """What searches and builds run with."""

    executor: Executor
    """With a thread for each place of the two gates."""
    threads: int
    """Threads of one calibration."""
    providers: Providers
    """Where calibrations run."""
    searches: Gate
    builds: Gate


_Found = tuple[str, Choice | None, float]
"""A sub-network's id, its choice of widths if a search made it just now, and the search's ms."""


@dataclass(frozen=True)
class Dialled:
    """The sub-network that answers a dial."""

    subnet_id: str
    stored: StoredSubnet
    spent: Spent
    hit: bool
    """Whether it was there before."""
    timings_ms: dict[str, float]
    """By stage; 0 for what did not have to be done."""


class Subnets:
    """Sub-networks of all models served. Blocking work runs in the executor."""

    def __init__(
        self,
        catalog: Catalog,
        cache: SubnetCache,
        building: Building,
        profiles: Profiles,
        metrics: Metrics,
    ) -> None:
        """Builds nothing yet.

        Args:
            catalog: the models.
            cache: where sub-networks are kept.
            building: what searches and builds run with.
            profiles: what budgets of latency are counted with.
            metrics: told how long each stage took.
        """
        self._catalog = catalog
        self._cache = cache
        self._building = building
        self._profiles = profiles
        self._metrics = metrics
        self._searches: Flights[_Found] = Flights()
        self._builds: Flights[tuple[StoredSubnet, dict[str, float]]] = Flights()

    @property
    def waiting(self) -> int:
        """Searches and builds that wait for their turn."""
        return self._building.searches.waiting + self._building.builds.waiting

    @property
    def retry_after_s(self) -> int:
        """Whole seconds until the sub-networks that are being built now will be there."""
        return self._building.builds.retry_after_s

    def profile_of(self, model: PublishedModel) -> LatencyProfile | None:
        """The model's latency profile here, if there is one."""
        return self._profiles.of(model)

    @property
    def place(self) -> Place:
        """Where networks run."""
        return self._profiles.place

    def request_of(self, dial: Dial) -> tuple[PublishedModel, SubnetRequest]:
        """What a dial asks of which model.

        Raises:
            NotFoundError: unknown model.
            UnprocessableError: the dial does not fit the model.
        """
        model = self._catalog.get(dial.model)
        try:
            request = SubnetRequest.of(
                model,
                dial.budget.asked(),
                dial.preference,
                dial.tasks,
                search=dial.search,
                precision=dial.precision,
                latency=self._profiles.of(model) if dial.budget.latency_ms is not None else None,
            )
        except ValueError as error:
            raise UnprocessableError(str(error)) from error
        return model, request

    async def dial(self, dial: Dial) -> Dialled:
        """The sub-network for a budget and preferences.

        Raises:
            NotFoundError: unknown model.
            UnprocessableError: the dial does not fit the model.
            InfeasibleBudget: no sub-network is that small.
            OverloadedError: as many searches or builds wait as may.
        """
        model, request = self.request_of(dial)
        self._metrics.dials.labels(model.manifest.name, dial.budget.asked().kind).inc()
        timings = dict.fromkeys(STAGES, 0.0)
        digest = request.digest(model)
        choice: Choice | None = None
        subnet_id, stored = await self._cache.answered(digest)
        if subnet_id is None:
            subnet_id, choice, timings["search"] = await self._resolve(model, request, digest)
            stored = await self._cache.find(subnet_id)
        hit = stored is not None
        if stored is None:

            async def chosen() -> Choice:
                if choice is not None:
                    return choice
                again, timings["search"] = await self.search(model, request)
                return again

            stored, took = await self._build(model, subnet_id, chosen)
            timings |= took
        used = spent_by_known(model, request, stored.metadata)
        return Dialled(subnet_id, stored, used, hit, timings)

    async def get(self, subnet_id: str) -> StoredSubnet:
        """A sub-network that was dialled before.

        Raises:
            NotFoundError: it is not known, or no longer.
        """
        stored = await self._cache.described(subnet_id)
        if stored is None:
            raise NotFoundError(
                f"unknown sub-network {subnet_id[:64]!r}: it was never dialled here, or its time "
                "to live is over; POST /subnet with the same budget and preference gives the same "
                "subnet_id again"
            )
        return stored

    async def onnx(self, subnet_id: str) -> tuple[StoredSubnet, bytes]:
        """A sub-network's ONNX file; built again where it is lost or corrupt.

        Raises:
            NotFoundError: the sub-network is not known, or its model version is no longer served.
        """
        stored = await self.get(subnet_id)
        content = await self._cache.onnx(stored)
        if content is None:
            model, choice = self._again(subnet_id, stored.metadata)

            async def chosen() -> Choice:
                return choice

            stored, _ = await self._build(model, subnet_id, chosen)
            content = await self._cache.onnx(stored)
        if content is None:
            raise NotFoundError(f"sub-network {subnet_id!r} is larger than the cache can hold")
        return stored, content

    def model_of(self, metadata: SubnetMetadata) -> PublishedModel:
        """The model that a sub-network was cut from.

        Raises:
            NotFoundError: that version is no longer served.
        """
        model = self._catalog.by_digest(metadata.model_digest)
        if model is None:
            raise NotFoundError(
                f"version {metadata.version!r} of model {metadata.model!r} is no longer served; "
                "POST /subnet again for a sub-network of the current version"
            )
        return model

    def _again(self, subnet_id: str, metadata: SubnetMetadata) -> tuple[PublishedModel, Choice]:
        """The choice that led to a sub-network, from its description."""
        model = self.model_of(metadata)
        architecture = architecture_of(model, metadata.channels)
        macs = model.cost.for_tasks(metadata.tasks).of(architecture)
        choice = Choice(subnet_id, architecture, metadata.tasks, macs, metadata.predicted)
        if identify(model, architecture, metadata.tasks, "fp32") != subnet_id:
            raise NotFoundError(f"the description of sub-network {subnet_id!r} is not its own")
        return model, choice

    async def _resolve(self, model: PublishedModel, request: SubnetRequest, digest: str) -> _Found:
        """Searches for a request that is not in the cache, once for all who ask at a time."""

        async def work() -> _Found:
            # Another search may have ended between the caller's lookup and now.
            known = await self._cache.subnet_of(digest, counted=False)
            if known is not None:
                return known, None, 0.0
            choice, milliseconds = await self.search(model, request)
            await self._cache.link(digest, choice.subnet_id)
            return choice.subnet_id, choice, milliseconds

        return await self._searches.run(digest, work)

    async def search(self, model: PublishedModel, request: SubnetRequest) -> tuple[Choice, float]:
        """Chooses the widths for a request, and builds nothing.

        Returns:
            The choice, and how many milliseconds it took.

        Raises:
            InfeasibleBudget: no sub-network is that small.
            OverloadedError: as many searches wait as may.
        """
        async with self._building.searches.enter():
            start = time.perf_counter()
            choice = await self._run(partial(choose, model, request))
            seconds = time.perf_counter() - start
        self._metrics.stage_seconds["search"].observe(seconds)
        return choice, 1e3 * seconds

    async def _build(
        self,
        model: PublishedModel,
        subnet_id: str,
        chosen: Callable[[], Awaitable[Choice]],
    ) -> tuple[StoredSubnet, dict[str, float]]:
        """Builds a sub-network once for all who ask at a time: they take one place in the queue."""
        return await self._builds.run(
            subnet_id, lambda: self._build_alone(model, subnet_id, chosen)
        )

    async def _build_alone(
        self,
        model: PublishedModel,
        subnet_id: str,
        chosen: Callable[[], Awaitable[Choice]],
    ) -> tuple[StoredSubnet, dict[str, float]]:
        built_at = 0.0

        async def work() -> Subnet:
            nonlocal built_at
            choice, with_ = await chosen(), self._building
            subnet = await self._run(partial(build, model, choice, with_.threads, with_.providers))
            built_at = time.perf_counter()
            return subnet

        # A place first, the lock afterwards: who waits here must not keep other replicas waiting.
        async with self._building.builds.enter():
            stored, here = await self._cache.build_once(subnet_id, work)
        if not here:
            return stored, {}
        took = {s: stored.metadata.timings_ms[s] for s in ("extract", "calibrate")}
        took["store"] = 1e3 * (time.perf_counter() - built_at)
        for stage, milliseconds in took.items():
            self._metrics.stage_seconds[stage].observe(milliseconds / 1e3)
        log.info(
            "built sub-network %s of %s: %.4f GMACs, %s",
            subnet_id,
            model.manifest.name,
            stored.metadata.gmacs,
            ", ".join(f"{s} {ms:.0f} ms" for s, ms in took.items()),
        )
        return stored, took

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._building.executor, work)
