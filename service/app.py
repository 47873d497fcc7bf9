"""The app factory."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from model_store.cache_periodic import every
from service import errors, openapi
from service.catalog import Catalog
from service.leaving import on_signals
from service.metrics import Metrics
from service.middleware import Front
from service.routes import (
    curve,
    docs,
    models,
    oip,
    oip_repository,
    operations,
    page,
    predict,
    subnets,
)
from service.routes.direct import Shortcuts
from service.runtime import run
from service.security.access import Access
from service.security.keyring import RELOAD_S, Keyring
from service.settings import Settings
from service.uploads import Uploads

_ABOUT = """
One multi-task network, trained once; two dials, a compute budget and a preference per task; back
comes the network that fits, as a static ONNX file and as an endpoint that predicts with it.
"""


def create_app(
    settings: Settings, catalog: Catalog | None = None, metrics: Path | None = None
) -> FastAPI:
    """The service as an ASGI app. Models, Redis and threads are there between start and end.

    Args:
        settings: what is set.
        catalog: the models, where they have been opened already; else the app opens them.
        metrics: the folder that several workers share their metrics in; None for one on its own.

    Raises:
        KeysError: the file of API keys cannot be used.
    """
    counted = Metrics(metrics)
    file = settings.api_keys_file
    keyring = None if file is None else Keyring(file, counted.keys_up)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run(settings, counted, catalog) as runtime, _following(keyring):
            app.state.runtime = runtime
            with on_signals(runtime, settings.drain_s):
                yield
            app.state.runtime = None

    # The usual page loads its scripts from a CDN; this one has them in the wheel.
    app = FastAPIOffline(
        docs_url=None,
        redoc_url=None,
        static_url=docs.STATIC,
        title="slimdial",
        version=_version(),
        description=_ABOUT,
        lifespan=lifespan,
    )
    app.state.access = Access(keyring, counted)
    # Routes are tried in turn: those that are asked most come first.
    direct = (predict.router, subnets.dialling, operations.alive)
    for router in direct:
        app.include_router(router)
    for resource in (subnets, operations, models, curve, page, docs, oip, oip_repository):
        app.include_router(resource.router)
    app.include_router(oip.health)
    errors.install(app)
    openapi.install(app, with_keys=keyring is not None)
    # The last one is the outermost.
    app.add_middleware(Shortcuts, routers=direct)
    app.add_middleware(
        Uploads,
        limit_bytes=settings.max_body_bytes,
        total_bytes=settings.max_total_body_bytes,
        timeout_s=settings.upload_timeout_s,
    )
    app.add_middleware(Front, metrics=counted, runtime=lambda: getattr(app.state, "runtime", None))
    return app


@contextlib.asynccontextmanager
async def _following(keyring: Keyring | None) -> AsyncIterator[None]:
    """The keys follow their file meanwhile."""
    if keyring is None:
        yield
    else:
        async with every(RELOAD_S, keyring.refresh):
            yield


def _version() -> str:
    try:
        return version("slimdial")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
