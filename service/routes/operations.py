"""``/livez``, ``/readyz``, ``/healthz``, ``/metrics``: for those who run the service."""

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from service.errors import UnavailableError
from service.openapi import problems
from service.routes.deps import RuntimeDep
from service.routes.direct import Direct
from service.security.access import needs

alive = APIRouter(tags=["operations"], route_class=Direct)
router = APIRouter(tags=["operations"])


@alive.get("/livez", response_model=dict[str, str], summary="Is the process alive?")
async def livez(_: Request) -> Response:
    """200 as long as requests are answered at all."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@router.get("/readyz", summary="Should traffic come here?", responses=problems(503))
async def readyz(runtime: RuntimeDep) -> dict[str, str]:
    """503 while starting and, from SIGTERM on, before connections are closed."""
    if runtime.draining:
        raise UnavailableError("the service is shutting down")
    return {"status": "ready"}


@router.get(
    "/healthz", summary="How is it?", dependencies=[needs("metrics")], responses=problems(503)
)
async def healthz(runtime: RuntimeDep) -> dict[str, Any]:
    """Models, execution provider, Redis and what is held in memory.

    `degraded` means that requests are answered, but new entries of the cache are in this process's
    memory, because Redis is away or does not take them, or a model is not served as it should be.
    """
    entries, catalog = runtime.cache.entries, runtime.catalog
    reason = entries.refused if entries.up else entries.reason
    refused = catalog.troubles()
    degraded = reason is not None or bool(refused)
    return {
        "status": "draining" if runtime.draining else "degraded" if degraded else "ok",
        "models": {n: m.manifest.version for n, m in catalog.models.items()},
        "refused_models": refused,
        "provider": {"name": runtime.device.provider, "reason": runtime.device.reason},
        "redis": {
            "up": entries.up,
            "embedded": runtime.embedded is not None,
            "writable": reason is None,
            **({} if reason is None else {"reason": reason}),
        },
        "cache": {
            "where": "redis" if entries.up else "memory",
            "memory_entries": len(entries.memory),
            "memory_bytes": entries.memory.bytes,
        },
        "sessions": {"count": len(runtime.sessions), "bytes": runtime.sessions.bytes},
    }


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    dependencies=[needs("metrics")],
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(runtime: RuntimeDep) -> Response:
    """Text exposition format; of several workers, all together."""
    runtime.tell()
    return Response(runtime.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
