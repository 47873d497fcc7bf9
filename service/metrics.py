"""Prometheus metrics: one registry per app, base units and suffixes."""

import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from model_store.cache import Level, Outcome
from service.autopilot.metrics import AutopilotMetrics
from service.scheduling.scheduler import Batch

_GMACS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MOST_KEYS = 100


class Metrics:
    """Everything that ``/metrics`` shows: of this process, or of all workers together.

    Several workers keep their numbers in files of one folder, which must stand in
    ``PROMETHEUS_MULTIPROC_DIR`` before prometheus_client is imported; any of them adds them up.
    """

    def __init__(self, shared: Path | None = None) -> None:
        """Everything is zero.

        Args:
            shared: the folder of several workers' numbers; None for a process on its own.
        """
        self._shared = shared
        self.registry = CollectorRegistry()
        if shared is None:  # one worker's memory would pass for all of it
            ProcessCollector(registry=self.registry)
        self.started = Gauge(
            "slimdial_start_time_seconds",
            "When the service started, or the worker that was started last, since 1970.",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.started.set(time.time())
        self._requests = Counter(
            "slimdial_http_requests",
            "Requests by route template and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "slimdial_http_request_duration_seconds",
            "Time to the last byte of a response.",
            ["method", "route", "status"],
            buckets=_FAST,
            registry=self.registry,
        )
        self._of_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.inside = 0
        """Requests being answered here, now; the gauge follows when somebody looks."""
        self._in_flight = Gauge(
            "slimdial_http_requests_in_flight",
            "Requests being answered.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.refused = Counter(
            "slimdial_api_key_refusals",
            "Requests refused for their API key: missing, unknown, or without the scope.",
            ["reason"],
            registry=self.registry,
        )
        self.keys_up = Gauge(
            "slimdial_api_keys_file_up",
            "0 while the file of API keys cannot be used, and those before stay in force.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.keys_up.set(1)
        self._key_requests = Counter(
            "slimdial_api_key_requests",
            "Requests by the name of their API key.",
            ["key"],
            registry=self.registry,
        )
        self._key_names: set[str] = set()
        self.queue_seconds = Histogram(
            "slimdial_queue_duration_seconds",
            "Time that a prediction waited for its turn.",
            buckets=_FAST,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "slimdial_batch_size",
            "Predictions that ran together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "slimdial_predictions_waiting",
            "Predictions that wait for their turn.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.waiting_limit = Gauge(
            "slimdial_predictions_waiting_limit",
            "Predictions that may wait; further ones are refused with 429.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.dials = Counter(
            "slimdial_dials",
            "Dialled budgets by the way in which they are said.",
            ["model", "budget"],
            registry=self.registry,
        )
        self.stage_seconds = {
            stage: Histogram(
                f"slimdial_{stage}_duration_seconds",
                f"Time to {what}.",
                buckets=_FAST,
                registry=self.registry,
            )
            for stage, what in {
                "search": "search an architecture for a budget and preferences",
                "extract": "cut a sub-network out of the SuperNet, fold and check it",
                "calibrate": "recompute batch-norm statistics",
                "store": "write a sub-network to the cache",
            }.items()
        }
        self._inference_seconds = Histogram(
            "slimdial_inference_duration_seconds",
            "Time of an ONNX Runtime call.",
            ["model"],
            buckets=_FAST,
            registry=self.registry,
        )
        self._inference_gmacs = Histogram(
            "slimdial_inference_gmacs",
            "GMACs of the sub-networks that answered predictions.",
            ["model"],
            buckets=_GMACS,
            registry=self.registry,
        )
        self._of_model: dict[str, tuple[Histogram, Histogram]] = {}
        self.builds_waiting = Gauge(
            "slimdial_builds_waiting",
            "Searches and builds of sub-networks that wait for their turn.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._cache = {
            outcome: Counter(f"slimdial_cache_{name}", what, ["level"], registry=self.registry)
            for outcome, name, what in (
                ("hit", "hits", "Cache lookups that found a valid entry."),
                ("miss", "misses", "Cache lookups that found none, corrupt entries included."),
                ("corrupt", "corrupt", "Cache entries whose digest did not match."),
            )
        }
        for counter in self._cache.values():
            for level in ("request", "subnet"):
                counter.labels(level)
        self.sessions = Gauge(
            "slimdial_sessions",
            "Inference sessions held.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.session_bytes = Gauge(
            "slimdial_session_bytes",
            "Estimated memory of the inference sessions held.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.redis_up = Gauge(
            "slimdial_redis_up",
            "1 while Redis is reachable, from every worker.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.redis_writable = Gauge(
            "slimdial_redis_writable",
            "1 while Redis takes entries: 0 where it is full, read-only or away.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.memory_entries = Gauge(
            "slimdial_memory_cache_entries",
            "Cache entries in memory, read while Redis is away or refuses them.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.memory_bytes = Gauge(
            "slimdial_memory_cache_bytes",
            "Bytes of those.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.models = Gauge(
            "slimdial_models",
            "Published models that are served, and those that could not be opened.",
            ["state"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.provider = Gauge(
            "slimdial_execution_provider_info",
            "1 for the ONNX Runtime execution provider in use.",
            ["provider"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )

        self.autopilot = AutopilotMetrics(self.registry)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts and times one request."""
        labels = (method, route, status)
        found = self._of_request.get(labels)
        if found is None:  # once: to look them up by their labels takes longer than to count
            found = self._requests.labels(*labels), self._request_seconds.labels(*labels)
            self._of_request[labels] = found
        counter, histogram = found
        counter.inc()
        histogram.observe(seconds)

    def count_cache(self, level: Level, outcome: Outcome) -> None:
        """Counts one cache lookup."""
        self._cache[outcome].labels(level).inc()

    def count_key(self, name: str) -> None:
        """Counts a request with a key; there may be more keys than a metric has room for."""
        if len(self._key_names) < _MOST_KEYS:
            self._key_names.add(name)
        self._key_requests.labels(name if name in self._key_names else "(other)").inc()

    def count_run(self, model: str, seconds: float, gmacs: Sequence[float]) -> None:
        """Counts one run of a network, and the GMACs of each prediction that it answers."""
        found = self._of_model.get(model)
        if found is None:
            found = self._inference_seconds.labels(model), self._inference_gmacs.labels(model)
            self._of_model[model] = found
        found[0].observe(seconds)
        for each in gmacs:
            found[1].observe(each)

    def count_wait(self, batch: Batch) -> None:
        """Counts how long predictions waited that start now, where none run together."""
        for seconds in batch.waited_s:
            self.queue_seconds.observe(seconds)

    def count_batch(self, batch: Batch) -> None:
        """Counts predictions that start to run together."""
        self.batch_size.observe(batch.size)
        self.count_wait(batch)

    def tell_inside(self) -> None:
        """Brings the gauge of requests being answered up to date."""
        self._in_flight.set(self.inside)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        if self._shared is None:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)
