"""The app factory."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from service import errors, openapi
from service.catalog import Catalog
from service.leaving import Leaving, on_sigterm
from service.metrics import Metrics
from service.middleware import BodyLimit, Measured
from service.routes import curve, models, oip, oip_repository, operations, page, predict, subnets
from service.runtime import run
from service.settings import Settings

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
    """
    counted = Metrics(metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run(settings, counted, catalog) as runtime:
            app.state.runtime = runtime
            with on_sigterm(runtime, settings.drain_s):
                yield
            app.state.runtime = None

    # The usual page loads its scripts from a CDN; this one has them in the wheel.
    app = FastAPIOffline(
        redoc_url=None,
        title="slimdial",
        version=_version(),
        description=_ABOUT,
        lifespan=lifespan,
    )
    for resource in (page, operations, models, subnets, curve, predict, oip, oip_repository):
        app.include_router(resource.router)
    errors.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes)
    app.add_middleware(Leaving, runtime=lambda: getattr(app.state, "runtime", None))
    app.add_middleware(Measured, metrics=counted)
    return app


def _version() -> str:
    try:
        return version("slimdial")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
