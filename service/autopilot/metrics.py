"""What the autopilot does, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AutopilotMetrics:
    """Its level, its steps, and the predictions that it answered at each level."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.level = Gauge(
            "slimdial_autopilot_level",
            "Levels below what was asked at which adaptive requests are answered; the highest of "
            "all workers.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.steps = Counter(
            "slimdial_autopilot_steps",
            "Steps of the autopilot, down to smaller sub-networks and up again.",
            ["direction"],
            registry=registry,
        )
        self.predictions = Counter(
            "slimdial_autopilot_predictions",
            "Adaptive predictions by the level of their sub-network.",
            ["level"],
            registry=registry,
        )
        for direction in ("down", "up"):
            self.steps.labels(direction)
