"""Prometheus metrics: one registry per app, base units and suffixes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from model_store.cache import Level, Outcome

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Everything that ``/metrics`` shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "slimdial_http_requests",
            "Requests by route template and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "slimdial_http_request_duration_seconds",
            "Time to the last byte of a response.",
            ["method", "route", "status"],
            buckets=_FAST,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "slimdial_http_requests_in_flight", "Requests being answered.", registry=self.registry
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
        self.inference_seconds = Histogram(
            "slimdial_inference_duration_seconds",
            "Time of an ONNX Runtime call.",
            ["model"],
            buckets=_FAST,
            registry=self.registry,
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
            "slimdial_sessions", "Inference sessions held.", registry=self.registry
        )
        self.session_bytes = Gauge(
            "slimdial_session_bytes",
            "Estimated memory of the inference sessions held.",
            registry=self.registry,
        )
        self.redis_up = Gauge(
            "slimdial_redis_up", "1 while Redis is reachable.", registry=self.registry
        )
        self.memory_entries = Gauge(
            "slimdial_memory_cache_entries",
            "Cache entries in memory, read while Redis is away.",
            registry=self.registry,
        )
        self.memory_bytes = Gauge(
            "slimdial_memory_cache_bytes", "Bytes of those.", registry=self.registry
        )
        self.provider = Gauge(
            "slimdial_execution_provider_info",
            "1 for the ONNX Runtime execution provider in use.",
            ["provider"],
            registry=self.registry,
        )

    def count_cache(self, level: Level, outcome: Outcome) -> None:
        """Counts one cache lookup."""
        self._cache[outcome].labels(level).inc()
