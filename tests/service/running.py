"""The real app with a client, and pictures to send it."""

import contextlib
import io
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from PIL import Image

from model_store.published import PublishedModel
from service.app import create_app
from service.runtime import Runtime
from service.settings import Settings


@dataclass(frozen=True)
class Running:
    """A service between start and end."""

    http: httpx.AsyncClient
    runtime: Runtime

    @property
    def model(self) -> PublishedModel:
        """Its one model."""
        return self.runtime.catalog.get(None)

    def gmacs(self, share: float) -> float:
        """A budget: 0 is the smallest sub-network, 1 the largest."""
        low = self.model.cost.of(self.model.space.smallest())
        high = self.model.cost.of(self.model.space.largest())
        return (low + share * (high - low)) / 1e9

    async def dial(self, share: float = 0.5, **more: object) -> dict[str, Any]:
        """Dials a sub-network and returns the answer."""
        body = {"budget": {"gmacs": self.gmacs(share)}, **more}
        response = await self.http.post("/subnet", json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def metric(self, name: str, **labels: str) -> float:
        """One sample of /metrics; 0 where there is none yet."""
        text = (await self.http.get("/metrics")).text
        wanted = ",".join(f'{k}="{v}"' for k, v in labels.items())
        sample = f"{name}{{{wanted}}} " if labels else f"{name} "
        lines = [line for line in text.splitlines() if line.startswith(sample)]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Starts the app and ends it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60) as http,
    ):
        yield Running(http, app.state.runtime)


def picture(width: int = 50, height: int = 40, seed: int = 0) -> Image.Image:
    """A picture of large coloured patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.NEAREST)


def encoded(
    image: Image.Image, kind: str = "PNG", **options: str | int | bytes | bool | Image.Exif
) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    check = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + check
