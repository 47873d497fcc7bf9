"""Equal requests at once: ``python -m benchmarks.serving.one_extraction``.

Two replicas share a Redis-protocol server. Many clients ask both at the same moment for one
sub-network that nobody has built yet. It should be built once, and all should get it.
"""

import asyncio
import json
import re
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.output import show
from benchmarks.serving.running import end_on_sigterm, free_port, running
from benchmarks.serving.servers import SLIMDIAL, Configuration, Place
from model_store.cache_server import EmbeddedServer
from model_store.published import ModelStore, default_root


@dataclass(frozen=True)
class Row:
    """One sub-network that everybody wanted."""

    model: str
    requests: int
    answered: int
    """With status 200."""
    subnets: int
    """Different ones among the answers."""
    extractions: int
    """By all replicas together."""
    slowest_s: float
    as_wished: bool


def extractions(url: str) -> int:
    """How many sub-networks a replica has cut out."""
    text = httpx.get(f"{url}/metrics").text
    found = re.search(r"^slimdial_extract_duration_seconds_count ([\d.]+)", text, re.MULTILINE)
    return int(float(found[1])) if found else 0


async def ask(urls: list[str], requests: int, wish: bytes) -> tuple[list[httpx.Response], float]:
    """The answers to equal requests, sent to the replicas in turn, and the seconds of all."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        headers = {"Content-Type": "application/json"}
        start = time.perf_counter()
        answers = await asyncio.gather(
            *(
                client.post(f"{urls[i % len(urls)]}/subnet", content=wish, headers=headers)
                for i in range(requests)
            )
        )
        return list(answers), time.perf_counter() - start


def main(
    requests: Annotated[int, typer.Option(min=2)] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Sub-networks of each model.")] = 5,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Count extractions."""
    end_on_sigterm()
    rows = []
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shared = EmbeddedServer(Path(folder) / "shared")
        shared.start()
        stack.callback(shared.stop)
        settings = Configuration("replica", {"SLIMDIAL_REDIS_URL": shared.url})
        server = replace(SLIMDIAL, environ=lambda _: {})
        urls = [
            stack.enter_context(running(server, settings, place)).url
            for place in (
                Place(Path(folder) / name, Path(folder), free_port(), default_root())
                for name in ("one", "two")
            )
        ]
        store = ModelStore(default_root())
        for model in store.names() * rounds:
            tasks = store.open(model).space.tasks
            preference = {t: float(rng.random()) for t in tasks}
            fraction = float(rng.uniform(0.4, 1.0))
            wish = {"model": model, "budget": {"fraction": fraction}, "preference": preference}
            before = sum(map(extractions, urls))
            answers, seconds = asyncio.run(ask(urls, requests, json.dumps(wish).encode()))
            good = [a.json()["subnet_id"] for a in answers if a.status_code == 200]
            built = sum(map(extractions, urls)) - before
            as_wished = built == 1 and len(good) == requests and len(set(good)) == 1
            rows.append(Row(model, requests, len(good), len(set(good)), built, seconds, as_wished))
    show(f"{requests} equal requests at once to two replicas", rows, file)
    raise typer.Exit(0 if all(r.as_wished for r in rows) else 1)


if __name__ == "__main__":
    typer.run(main)
