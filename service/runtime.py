"""The running service: its parts, put together at start and taken apart at the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from model_store.cache import CacheLimits, SubnetCache
from model_store.cache_memory import MemoryEntries
from model_store.cache_periodic import every
from model_store.cache_redis import Entries, connect
from model_store.cache_server import EmbeddedServer, EmbeddedServerError
from service.catalog import Catalog, open_catalog
from service.imaging import ImageLimits
from service.metrics import Metrics
from service.prediction import Predictions
from service.providers import Device, choose_device
from service.sessions import Sessions
from service.settings import Settings
from service.subnets import Subnets

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
    builders: ThreadPoolExecutor
    predictors: ThreadPoolExecutor
    subnets: Subnets
    sessions: Sessions
    predictions: Predictions
    draining: bool = False
    """Set on SIGTERM: /readyz says 503 while requests are still answered."""

    async def probe(self) -> bool:
        """Whether Redis is there; an embedded server that died is started again first."""
        entries = self.cache.entries
        if self.embedded is not None and not entries.up:
            try:
                await asyncio.to_thread(self.embedded.ensure)
            except (EmbeddedServerError, OSError) as error:
                log.warning("no embedded server: %s", error)
        return await entries.probe()

    async def watch(self) -> None:
        """As :meth:`probe`, for the background: whatever happens, the next time comes."""
        try:
            await self.probe()
        except Exception:
            log.exception("probing Redis failed")

    async def close(self) -> None:
        """Ends all work and leaves Redis; the last service to leave stops an embedded server."""
        await asyncio.to_thread(self.builders.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.predictors.shutdown, cancel_futures=True)
        await self.cache.entries.redis.aclose()
        if self.embedded is not None:
            await asyncio.to_thread(self.embedded.stop)


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
        async with every(_PROBE_S, runtime.watch):
            yield runtime
    finally:
        await runtime.close()


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
    device = await asyncio.to_thread(choose_device, settings.device, settings.intra_op_threads)
    if embedded is not None:
        try:
            await asyncio.to_thread(embedded.start)
        except (EmbeddedServerError, OSError) as error:
            log.warning("no embedded server, going on from memory: %s", error)
    runtime = _assemble(settings, metrics, catalog, device, embedded, url)
    await runtime.probe()
    log.info(
        "serving %s on %s, cache in %s",
        ", ".join(f"{n} {m.manifest.version}" for n, m in catalog.models.items()),
        device.provider,
        "Redis" if runtime.cache.entries.up else "memory",
    )
    return runtime


def _assemble(
    settings: Settings,
    metrics: Metrics,
    catalog: Catalog,
    device: Device,
    embedded: EmbeddedServer | None,
    url: str,
) -> Runtime:
    limits = CacheLimits(settings.request_ttl_s, settings.subnet_ttl_s)
    entries = Entries(connect(url), MemoryEntries(settings.memory_bytes), settings.subnet_ttl_s)
    cache = SubnetCache(entries, limits, metrics.count_cache)
    builders = ThreadPoolExecutor(settings.threads, "build")
    predictors = ThreadPoolExecutor(settings.threads, "predict")
    subnets = Subnets(catalog, cache, builders, settings.threads, metrics)
    sessions = Sessions(
        device, settings.max_sessions, settings.max_session_bytes, predictors, metrics
    )
    predictions = Predictions(
        subnets,
        sessions,
        predictors,
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        settings.max_output_bytes,
        metrics,
    )
    metrics.provider.labels(device.provider).set(1)
    metrics.redis_up.set_function(lambda: float(entries.up))
    metrics.memory_entries.set_function(lambda: float(len(entries.memory)))
    metrics.memory_bytes.set_function(lambda: float(entries.memory.bytes))
    return Runtime(
        settings,
        metrics,
        catalog,
        device,
        cache,
        embedded,
        builders,
        predictors,
        subnets,
        sessions,
        predictions,
    )
