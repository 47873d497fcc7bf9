"""The running service: its parts, put together at start and taken apart at the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from model_store.cache import CacheLimits, SubnetCache
from model_store.cache_memory import MemoryEntries
from model_store.cache_periodic import every
from model_store.cache_redis import Entries, connect
from model_store.cache_server import EmbeddedServer, EmbeddedServerError
from service.autopilot.pilot import Autopilot
from service.catalog import Catalog, open_catalog
from service.device import Device
from service.half import to_half
from service.imaging import ImageLimits
from service.lanes import Lanes
from service.metrics import Metrics
from service.oip.server import OpenInference
from service.prediction import Parts, Predictions
from service.profiles import Profiles, place_of
from service.providers import choose_device
from service.scheduling.gate import Gate
from service.scheduling.scheduler import Limits
from service.sessions import Sessions
from service.settings import Settings
from service.subnets import Building, Subnets

log = logging.getLogger(__name__)

_PROBE_S = 1.0


@dataclass
class Runtime:
    """Everything that routes work with."""

    settings: Settings
    metrics: Metrics
    catalog: Catalog
    device: Device
    cache: SubnetCache
    embedded: EmbeddedServer | None
    threads: "Threads"
    subnets: Subnets
    sessions: Sessions
    predictions: Predictions
    oip: OpenInference
    draining: bool = False
    """Set on SIGTERM: /readyz says 503 while requests are still answered."""
    refusing: bool = False
    """Set at the end of draining: what is under way is finished, and nothing new is begun."""
    retiring: bool = False
    """Set where another worker takes over: connections are closed, and no request is refused."""
    trouble: str = ""
    """Why there is no embedded server: said once, and not every second."""

    async def probe(self) -> bool:
        """Whether Redis is there; an embedded server that died is started again first."""
        entries = self.cache.entries
        if self.embedded is not None and not entries.up:
            try:
                await asyncio.to_thread(self.embedded.ensure)
            except (EmbeddedServerError, OSError) as error:
                if str(error) != self.trouble:
                    log.warning("no embedded server: %s", error)
                self.trouble = str(error)
            else:
                self.trouble = ""
        return await entries.probe()

    async def watch(self) -> None:
        """As :meth:`probe`, for the background: whatever happens, the next time comes."""
        try:
            await self.probe()
        except Exception:
            log.exception("probing Redis failed")
        self.tell()

    def tell(self) -> None:
        """Brings those metrics up to date that are states, not events."""
        entries, metrics = self.cache.entries, self.metrics
        metrics.redis_up.set(entries.up)
        metrics.redis_writable.set(entries.up and entries.refused is None)
        metrics.memory_entries.set(len(entries.memory))
        metrics.memory_bytes.set(entries.memory.bytes)
        metrics.tell_inside()
        metrics.waiting.set(self.predictions.waiting)
        metrics.builds_waiting.set(self.subnets.waiting)

    async def close(self) -> None:
        """Ends all work and leaves Redis; the last service to leave stops an embedded server."""
        await asyncio.to_thread(self.threads.shut_down)
        await self.cache.entries.close()
        if self.embedded is not None:
            await asyncio.to_thread(self.embedded.stop)


@dataclass(frozen=True)
class Threads:
    """Where blocking work runs. Each kind has its own, so that none keeps another one waiting."""

    build: ThreadPoolExecutor
    load: ThreadPoolExecutor
    predict: ThreadPoolExecutor
    accelerate: ThreadPoolExecutor

    @staticmethod
    def of(settings: Settings) -> "Threads":
        """As many as the settings ask for; a thread is started when it is first needed."""
        return Threads(
            build=ThreadPoolExecutor(settings.max_builds + 1, "build"),
            load=ThreadPoolExecutor(1, "load"),
            predict=ThreadPoolExecutor(settings.threads, "predict"),
            accelerate=ThreadPoolExecutor(1, "accelerate"),
        )

    def shut_down(self) -> None:
        """Waits for what runs, and drops what does not."""
        for pool in (self.build, self.predict, self.accelerate, self.load):
            pool.shutdown(cancel_futures=True)


@contextlib.asynccontextmanager
async def run(
    settings: Settings, metrics: Metrics, catalog: Catalog | None = None
) -> AsyncIterator[Runtime]:
    """The service between its start and its end; Redis is watched meanwhile.

    Args:
        settings: what is set.
        metrics: of the app.
        catalog: the models, where they have been opened already.

    Raises:
        ModelError: no model can be served.
        DeviceError: CUDA was demanded and does not work.
        ValueError: the settings contradict what is there.
    """
    runtime = await _start(settings, metrics, catalog)
    try:
        async with every(_PROBE_S, runtime.watch), _flying(runtime):
            yield runtime
    finally:
        await runtime.close()


@contextlib.asynccontextmanager
async def _flying(runtime: Runtime) -> AsyncIterator[None]:
    """The autopilot, where there is one, decides again and again."""
    autopilot = runtime.predictions.autopilot
    if autopilot is None:
        yield
        return
    try:
        async with every(runtime.settings.autopilot_window_s, autopilot.tick):
            yield
    finally:
        await autopilot.close()


async def _start(settings: Settings, metrics: Metrics, catalog: Catalog | None) -> Runtime:
    embedded, url = None, ""
    if settings.redis_url is None:
        embedded = EmbeddedServer(settings.data_dir)
        url = embedded.url
    else:
        url = settings.redis_url.get_secret_value()
    if catalog is None:
        catalog = await asyncio.to_thread(
            open_catalog, settings.models_root, settings.default_model
        )
    device = await asyncio.to_thread(_device, settings)
    if embedded is not None:
        try:
            await asyncio.to_thread(embedded.start)
        except (EmbeddedServerError, OSError) as error:
            log.warning("no embedded server, going on from memory: %s", error)
    runtime = _assemble(settings, metrics, catalog, device, embedded, url)
    await runtime.probe()
    runtime.tell()
    log.info(
        "serving %s on %s, cache in %s",
        ", ".join(f"{n} {m.manifest.version}" for n, m in catalog.models.items()),
        device.provider,
        "Redis" if runtime.cache.entries.up else "memory",
    )
    return runtime


def _device(settings: Settings) -> Device:
    device = choose_device(settings.device, settings.intra_op_threads, settings.require_gpu)
    if not device.is_gpu:
        return device
    return replace(
        device,
        convert=to_half if settings.gpu_precision == "fp16" else bytes,
        warm_batches=(1,) if settings.batching == "off" else (1, settings.max_batch),
    )


def _autopilot(
    objective_ms: float,
    subnets: Subnets,
    metrics: Metrics,
    load: Callable[[str], Awaitable[None]],
    waiting: Callable[[], int],
) -> Autopilot:
    return Autopilot(objective_ms, subnets, load, waiting, metrics.autopilot)


def _assemble(
    settings: Settings,
    metrics: Metrics,
    catalog: Catalog,
    device: Device,
    embedded: EmbeddedServer | None,
    url: str,
) -> Runtime:
    times = CacheLimits(settings.request_ttl_s, settings.subnet_ttl_s)
    entries = Entries(connect(url), MemoryEntries(settings.memory_bytes), settings.subnet_ttl_s)
    cache = SubnetCache(entries, times, metrics.count_cache)
    threads = Threads.of(settings)
    building = Building(
        threads.build,
        settings.threads,
        device.providers,
        # Searches are short and hold the interpreter: two at a time would take twice as long.
        searches=Gate("searches", 1, settings.max_queued_builds),
        builds=Gate("sub-networks", settings.max_builds, settings.max_queued_builds),
    )
    profiles = Profiles(settings.data_dir, place_of(device, settings.gpu_precision))
    subnets = Subnets(catalog, cache, building, profiles, metrics)
    sessions = Sessions(device, settings.max_session_bytes, threads.load, metrics)
    batching = device.is_gpu if settings.batching == "auto" else settings.batching == "on"
    limits = Limits(
        slots=max(1, settings.threads // settings.intra_op_threads),
        queue=settings.max_queue,
        batch=settings.max_batch if batching else 1,
    )
    lanes = Lanes(device, threads.predict, threads.accelerate, limits, metrics)
    objective = settings.autopilot_ms
    predictions = Predictions(
        Parts(
            subnets,
            sessions,
            lanes,
            None if objective is None else partial(_autopilot, objective, subnets, metrics),
        ),
        limits.slots + limits.queue,
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        settings.max_output_bytes,
    )
    metrics.provider.labels(device.provider).set(1)
    metrics.models.labels("served").set(len(catalog.models))
    metrics.models.labels("refused").set(len(catalog.refused))
    metrics.waiting_limit.set(limits.queue)
    return Runtime(
        settings,
        metrics,
        catalog,
        device,
        cache,
        embedded,
        threads,
        subnets,
        sessions,
        predictions,
        OpenInference.of(settings, catalog, cache, subnets, sessions, predictions),
    )
