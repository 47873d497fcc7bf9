"""Measures what capacity depends on, on the service as it runs, in processor time.

The service's own counter of processor time is read before and after, so other work on the machine
does not count, and the client does not either.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import redis
from PIL import Image

from benchmarks.capacity.workload import Costs
from benchmarks.service import Client, serving
from model_store.cache_server import EmbeddedServer
from model_store.published import ModelStore, default_root
from service.profiles import machine
from service.sessions import estimated_bytes

_CPU = re.compile(r"^process_cpu_seconds_total (\S+)$", re.MULTILINE)


def measure(model: str, dials: int, requests: int) -> Costs:
    """Builds, loads and runs sub-networks for random dials.

    Args:
        model: a model that ships.
        dials: how many settings, drawn over the whole range of budgets.
        requests: predictions with each.
    """
    with _service() as (client, server):
        about = client.get(f"/models/{model}")
        image = _picture(model, about)
        settings = [_dial(model, about, np.random.default_rng(i)) for i in range(dials)]
        paths = ["/predict?" + urlencode(_flat(dial)) for dial in settings]

        before = _cpu(client)
        built = [client.post("/subnet", dial)[1] for dial in settings]
        build_s = (_cpu(client) - before) / dials

        before = _cpu(client)
        for path in paths:
            client.post(path, image, "image/png")
        first_s = (_cpu(client) - before) / dials

        commands = server.info("stats")["total_commands_processed"]
        predict_s = []
        for path in paths:
            before = _cpu(client)
            for _ in range(requests):
                client.post(path, image, "image/png")
            predict_s.append((_cpu(client) - before) / requests)
        commands = server.info("stats")["total_commands_processed"] - commands

        onnx_bytes = int(np.mean([b["size_bytes"] for b in built]))
        memory = sum(server.memory_usage(key) or 0 for key in server.scan_iter("slimdial:*"))
        return Costs(
            model=model,
            processor=machine(),
            predict_s=tuple(predict_s),
            load_s=max(0.0, first_s - float(np.mean(predict_s))),
            build_s=build_s,
            session_bytes=estimated_bytes(onnx_bytes),
            onnx_bytes=onnx_bytes,
            entry_bytes=memory // len({b["subnet_id"] for b in built}),
            commands=commands / (dials * requests),
        )


@contextmanager
def _service() -> "Iterator[tuple[Client, redis.Redis]]":
    """The service on one thread, and its Redis."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedServer(Path(folder))
        embedded.start()
        try:
            settings = {"SLIMDIAL_REDIS_URL": embedded.url, "SLIMDIAL_THREADS": "1"}
            with (
                serving({**os.environ, **settings}) as (client, _),
                redis.Redis.from_url(embedded.url) as server,
            ):
                yield client, server
        finally:
            embedded.stop()


def _cpu(client: Client) -> float:
    found = _CPU.search(client.ok(*client.send("GET", "/metrics")).decode())
    assert found is not None
    return float(found[1])


def _dial(model: str, about: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    low, high = about["budget"]["min_gmacs"], about["budget"]["max_gmacs"]
    preference = {t["name"]: round(float(rng.random()), 3) for t in about["tasks"]}
    budget = {"gmacs": round(float(rng.uniform(low, high)), 6)}
    return {"model": model, "budget": budget, "preference": preference}


def _flat(dial: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dial as a query has them."""
    preference = {f"preference.{t}": p for t, p in dial["preference"].items()}
    return {"model": dial["model"], "budget": dial["budget"]["gmacs"], **preference}


def _picture(model: str, about: dict[str, Any]) -> bytes:
    """An example of the model as a PNG, or noise where it has none."""
    example = ModelStore(default_root()).open(model).path / "examples" / "0.png"
    if example.exists():
        return example.read_bytes()
    shape = (about["input"]["height"], about["input"]["width"], 3)
    buffer = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()
