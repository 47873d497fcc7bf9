"""From a dial to a sub-network: look it up, else search, extract, calibrate and keep it."""

import asyncio
import logging
import time
from collections.abc import Callable
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


_Built = tuple[StoredSubnet, dict[str, float]]
"""What was built, and the ms of each stage."""

_Found = tuple[str, StoredSubnet, bool, dict[str, float]]
"""What equal dials share of :class:`Dialled`: all but ``spent``, which is in each budget's unit."""


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
        self._dials: Flights[_Found] = Flights(while_wanted=True)
        self._builds: Flights[_Built] = Flights(while_wanted=True)

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

    async def dial(self, dial: Dial, counted: bool = True) -> Dialled:
        """The sub-network for a budget and preferences.

        Args:
            dial: those.
            counted: whether it is a user's, which the metrics tell of.

        Raises:
            NotFoundError: unknown model.
            UnprocessableError: the dial does not fit the model.
            InfeasibleBudget: no sub-network is that small.
            OverloadedError: as many searches or builds wait as may.
        """
        model, request = self.request_of(dial)
        if counted:
            self._metrics.dials.labels(model.manifest.name, dial.budget.asked().kind).inc()
        digest = request.digest(model)
        hit, timings = True, dict.fromkeys(STAGES, 0.0)
        subnet_id, stored = await self._cache.answered(digest)
        # Where the sub-network is gone its id is of no use: a search may answer otherwise than the
        # one that found it, being of another release or on another processor.
        if subnet_id is None or stored is None:
            subnet_id, stored, hit, timings = await self._dials.run(
                digest, lambda: self._find(model, request, digest)
            )
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
                f"unknown sub-network {subnet_id[:64]!r}: it was never dialled here, its time to "
                "live is over, or the cache has no room for it; POST /subnet with the same budget "
                "and preference gives the same subnet_id again"
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
            stored, _ = await self._build(*self._again(subnet_id, stored.metadata))
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

    async def _find(self, model: PublishedModel, request: SubnetRequest, digest: str) -> _Found:
        """Searches for a request, and builds what is chosen if it is not there."""
        choice, searched_ms = await self.search(model, request)
        await self._cache.link(digest, choice.subnet_id)
        stored = await self._cache.find(choice.subnet_id)
        hit, timings = stored is not None, dict.fromkeys(STAGES, 0.0) | {"search": searched_ms}
        if stored is None:
            stored, took = await self._build(model, choice)
            timings |= took
        return choice.subnet_id, stored, hit, timings

    async def search(self, model: PublishedModel, request: SubnetRequest) -> tuple[Choice, float]:
        """Chooses the widths for a request, and builds nothing.

        Returns:
            The choice, and how many milliseconds it took.

        Raises:
            InfeasibleBudget: no sub-network is that small.
            OverloadedError: as many searches wait as may.
        """

        async def work() -> tuple[Choice, float]:
            start = time.perf_counter()
            choice = await self._run(partial(choose, model, request))
            seconds = time.perf_counter() - start
            self._metrics.stage_seconds["search"].observe(seconds)
            return choice, 1e3 * seconds

        return await self._building.searches.run(work)

    async def _build(self, model: PublishedModel, choice: Choice) -> _Built:
        """Builds a sub-network once for all who ask at a time: they take one place in the queue."""
        # A place first, the lock afterwards: who waits here must not keep other replicas waiting.
        return await self._builds.run(
            choice.subnet_id,
            lambda: self._building.builds.run(lambda: self._build_alone(model, choice)),
        )

    async def _build_alone(self, model: PublishedModel, choice: Choice) -> _Built:
        built_at = 0.0

        async def work() -> Subnet:
            nonlocal built_at
            with_ = self._building
            subnet = await self._run(partial(build, model, choice, with_.threads, with_.providers))
            built_at = time.perf_counter()
            return subnet

        stored, here = await self._cache.build_once(choice.subnet_id, work)
        if not here:
            return stored, {}
        took = {s: stored.metadata.timings_ms[s] for s in ("extract", "calibrate")}
        took["store"] = 1e3 * (time.perf_counter() - built_at)
        for stage, milliseconds in took.items():
            self._metrics.stage_seconds[stage].observe(milliseconds / 1e3)
        log.info(
            "built sub-network %s of %s: %.4f GMACs, %s",
            choice.subnet_id,
            model.manifest.name,
            stored.metadata.gmacs,
            ", ".join(f"{s} {ms:.0f} ms" for s, ms in took.items()),
        )
        return stored, took

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._building.executor, work)
