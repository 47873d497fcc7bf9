"""What the dashboards show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One panel; the queries by their legend."""

    title: str
    unit: str
    queries: dict[str, str]
    about: str = ""
    number: bool = False
    """Only the last value, in large type."""


@dataclass(frozen=True)
class Board:
    """One dashboard: rows of panels by the row's title."""

    uid: str
    title: str
    about: str
    rows: dict[str, list[Panel]]
    variables: dict[str, str]
    """By name, the metric whose label of the same name has the values."""


def quantiles(metric: str, where: str = "", by: str = "") -> dict[str, str]:
    """The median, the 90th and the 99th percentile of a histogram."""
    sums = f"sum by (le{', ' + by if by else ''})"
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{q}{legend}": (
            f"histogram_quantile({q / 100}, {sums} "
            f'(rate({metric}_bucket{{instance=~"$instance"{where}}}[$__rate_interval])))'
        )
        for q in (50, 90, 99)
    }


def rate(metric: str, by: str, where: str = "") -> dict[str, str]:
    """A counter's pace, by a label."""
    selected = f'{metric}{{instance=~"$instance"{where}}}'
    return {f"{{{{{by}}}}}": f"sum by ({by}) (rate({selected}[$__rate_interval]))"}


def each(metric: str, legend: str = "{{instance}}") -> dict[str, str]:
    """A gauge, of every replica."""
    return {legend: f'{metric}{{instance=~"$instance"}}'}


REPLICAS = {"instance": "slimdial_start_time_seconds"}
MODELS = {**REPLICAS, "model": "slimdial_inference_gmacs_count"}
OF_MODEL = ',model=~"$model"'
MEAN_GMACS = (
    "sum by (model) (rate(slimdial_inference_gmacs_sum{{{0}}}[$__rate_interval])) "
    "/ sum by (model) (rate(slimdial_inference_gmacs_count{{{0}}}[$__rate_interval]))"
).format('instance=~"$instance",model=~"$model"')

OVERVIEW = Board(
    "slimdial-overview",
    "slimdial: overview",
    "Rate, errors and duration of requests, and what is in short supply.",
    {
        "Now": [
            Panel("Replicas", "none", {"up": 'sum(up{job="slimdial"})'}, number=True),
            Panel(
                "Requests",
                "reqps",
                {"all": "sum(job_status:slimdial_http_requests:rate5m)"},
                number=True,
            ),
            Panel(
                "Errors",
                "percentunit",
                {"5xx": "max(job:slimdial_http_errors:ratio_rate5m) or vector(0)"},
                "The share of 5xx; the objective is 0.1%.",
                number=True,
            ),
            Panel(
                "99th percentile of predictions",
                "s",
                {
                    "p99": (
                        "max(job_route:slimdial_http_request_duration_seconds:p99_5m"
                        '{route="/predict"})'
                    )
                },
                number=True,
            ),
            Panel(
                "Fullest queue",
                "percentunit",
                {"of the limit": "max(instance:slimdial_queue:ratio)"},
                number=True,
            ),
            Panel(
                "Alerts",
                "none",
                {"firing": 'count(ALERTS{alertstate="firing"}) or vector(0)'},
                number=True,
            ),
        ],
        "Rate": [
            Panel("By route", "reqps", rate("slimdial_http_requests_total", "route")),
            Panel("By status", "reqps", rate("slimdial_http_requests_total", "status")),
        ],
        "Errors": [
            Panel(
                "Share of 5xx",
                "percentunit",
                {
                    w: f"job:slimdial_http_errors:ratio_rate{w} or vector(0)"
                    for w in ("5m", "1h", "6h")
                },
                "Over the windows that the alerts look at.",
            ),
            Panel(
                "Refused and failed",
                "reqps",
                rate("slimdial_http_requests_total", "status", ',status=~"4..|5.."'),
                "429: the queue was full. 499: the client left. 503: leaving. 504: out of time.",
            ),
        ],
        "Duration": [
            Panel(
                "Predictions",
                "s",
                quantiles(
                    "slimdial_http_request_duration_seconds", ',route="/predict",status="200"'
                ),
            ),
            Panel(
                "99th percentile by route",
                "s",
                {"{{route}}": "job_route:slimdial_http_request_duration_seconds:p99_5m"},
            ),
        ],
        "Saturation": [
            Panel(
                "Predictions that wait",
                "none",
                {
                    **each("slimdial_predictions_waiting"),
                    **each("slimdial_predictions_waiting_limit", "{{instance}} limit"),
                },
            ),
            Panel("Time in the queue", "s", quantiles("slimdial_queue_duration_seconds")),
            Panel("Builds that wait", "none", each("slimdial_builds_waiting")),
            Panel("Requests in flight", "none", each("slimdial_http_requests_in_flight")),
            Panel(
                "Memory",
                "bytes",
                {
                    **each("process_resident_memory_bytes"),
                    **each("slimdial_session_bytes", "{{instance}} sessions"),
                },
                "The process's memory is shown where a replica has one worker.",
            ),
            Panel(
                "Processor",
                "none",
                {
                    "{{instance}}": (
                        "rate(process_cpu_seconds_total"
                        '{job="slimdial",instance=~"$instance"}[$__rate_interval])'
                    )
                },
                "Cores in use, where a replica has one worker.",
            ),
        ],
    },
    REPLICAS,
)

DIALS = Board(
    "slimdial-dials",
    "slimdial: dials",
    "Which budgets are asked for, which sub-networks answer, and what it takes to make them.",
    {
        "Asked for": [
            Panel(
                "Dials by kind of budget", "reqps", rate("slimdial_dials_total", "budget", OF_MODEL)
            ),
            Panel("Dials by model", "reqps", rate("slimdial_dials_total", "model", OF_MODEL)),
        ],
        "Served": [
            Panel(
                "GMACs per second",
                "none",
                rate("slimdial_inference_gmacs_sum", "model", OF_MODEL),
                "The compute that predictions took, as the cost model counts it.",
            ),
            Panel("GMACs of a prediction, mean", "none", {"{{model}}": MEAN_GMACS}),
            Panel(
                "GMACs of a prediction",
                "none",
                quantiles("slimdial_inference_gmacs", OF_MODEL, "model"),
            ),
            Panel(
                "Time of a run",
                "s",
                quantiles("slimdial_inference_duration_seconds", OF_MODEL, "model"),
            ),
        ],
        "Cache": [
            Panel(
                "Hits",
                "percentunit",
                {"{{level}}": "job_level:slimdial_cache_hits:ratio_rate5m"},
                "request: which sub-network answers. subnet: its description and file.",
            ),
            Panel(
                "Lookups",
                "ops",
                {
                    f"{what} {{{{level}}}}": (
                        f"sum by (level) (rate(slimdial_cache_{what}_total"
                        '{instance=~"$instance"}[$__rate_interval]))'
                    )
                    for what in ("hits", "misses", "corrupt")
                },
            ),
        ],
        "Builds": [
            Panel(
                "Searches and builds",
                "ops",
                {
                    what: f'sum(rate({metric}_count{{instance=~"$instance"}}[$__rate_interval]))'
                    for what, metric in (
                        ("searches", "slimdial_search_duration_seconds"),
                        ("builds", "slimdial_extract_duration_seconds"),
                    )
                },
            ),
            Panel(
                "Time of a stage, 90th percentile",
                "s",
                {
                    s: quantiles(f"slimdial_{s}_duration_seconds")["p90"]
                    for s in ("search", "extract", "calibrate", "store")
                },
            ),
            Panel("Sub-networks ready to predict", "none", each("slimdial_sessions")),
            Panel("Their memory", "bytes", each("slimdial_session_bytes")),
        ],
    },
    MODELS,
)

AUTOPILOT = Board(
    "slimdial-autopilot",
    "slimdial: autopilot",
    "How far adaptive requests are answered below what they asked for, and what it gives.",
    {
        "What it does": [
            Panel(
                "Level", "none", each("slimdial_autopilot_level"), "0: as asked. 4: the smallest."
            ),
            Panel("Steps", "ops", rate("slimdial_autopilot_steps_total", "direction")),
            Panel(
                "Adaptive predictions by level",
                "reqps",
                rate("slimdial_autopilot_predictions_total", "level"),
            ),
        ],
        "What it gives": [
            Panel(
                "Time of predictions",
                "s",
                quantiles(
                    "slimdial_http_request_duration_seconds", ',route="/predict",status="200"'
                ),
                "The objective, SLIMDIAL_AUTOPILOT_MS, is one of the 90th percentile.",
            ),
            Panel("Predictions that wait", "none", each("slimdial_predictions_waiting")),
            Panel("GMACs of a prediction, mean", "none", {"{{model}}": MEAN_GMACS}),
        ],
    },
    MODELS,
)

REDIS = Board(
    "slimdial-redis",
    "slimdial: Redis",
    "The cache server, from its own side and from the service's.",
    {
        "From the service": [
            Panel("Reachable", "bool_yes_no", each("slimdial_redis_up")),
            Panel(
                "Entries in memory, while it is away", "none", each("slimdial_memory_cache_entries")
            ),
        ],
        "Memory": [
            Panel(
                "Memory",
                "bytes",
                {"used": "redis_memory_used_bytes", "limit": "redis_memory_max_bytes"},
            ),
            Panel("Entries", "none", {"{{db}}": "redis_db_keys > 0"}),
            Panel(
                "Entries that went",
                "ops",
                {
                    "evicted": "rate(redis_evicted_keys_total[$__rate_interval])",
                    "expired": "rate(redis_expired_keys_total[$__rate_interval])",
                },
                "Evicted: for want of memory. Expired: their time to live was over.",
            ),
        ],
        "Work": [
            Panel(
                "Commands",
                "ops",
                {"all": "rate(redis_commands_processed_total[$__rate_interval])"},
            ),
            Panel(
                "Time of a command",
                "s",
                {
                    "{{cmd}}": (
                        "rate(redis_commands_duration_seconds_total[$__rate_interval]) "
                        "/ (rate(redis_commands_total[$__rate_interval]) > 0)"
                    )
                },
            ),
            Panel(
                "Lookups that hit",
                "percentunit",
                {
                    "hits": (
                        "rate(redis_keyspace_hits_total[$__rate_interval]) "
                        "/ (rate(redis_keyspace_hits_total[$__rate_interval]) "
                        "+ rate(redis_keyspace_misses_total[$__rate_interval]))"
                    )
                },
            ),
            Panel("Clients", "none", {"connected": "redis_connected_clients"}),
        ],
    },
    REPLICAS,
)

GPU = Board(
    "slimdial-gpu",
    "slimdial: GPU",
    "What replicas run on, and the GPUs as DCGM sees them.",
    {
        "Service": [
            Panel(
                "Execution provider",
                "none",
                each("slimdial_execution_provider_info", "{{instance}} {{provider}}"),
            ),
            Panel(
                "Predictions that run together, mean",
                "none",
                {
                    "{{instance}}": (
                        'rate(slimdial_batch_size_sum{instance=~"$instance"}[$__rate_interval]) '
                        '/ rate(slimdial_batch_size_count{instance=~"$instance"}[$__rate_interval])'
                    )
                },
            ),
        ],
        "GPU": [
            Panel("Use", "percent", {"GPU {{gpu}}": "DCGM_FI_DEV_GPU_UTIL"}),
            Panel(
                "Memory",
                "mbytes",
                {
                    "GPU {{gpu}} used": "DCGM_FI_DEV_FB_USED",
                    "GPU {{gpu}} free": "DCGM_FI_DEV_FB_FREE",
                },
            ),
            Panel("Power", "watt", {"GPU {{gpu}}": "DCGM_FI_DEV_POWER_USAGE"}),
            Panel("Temperature", "celsius", {"GPU {{gpu}}": "DCGM_FI_DEV_GPU_TEMP"}),
            Panel("Clock", "hertz", {"GPU {{gpu}}": "1e6 * DCGM_FI_DEV_SM_CLOCK"}),
            Panel("Last Xid error", "none", {"GPU {{gpu}}": "DCGM_FI_DEV_XID_ERRORS"}, "0: none."),
        ],
    },
    REPLICAS,
)

BOARDS = {
    "overview": OVERVIEW,
    "dials": DIALS,
    "autopilot": AUTOPILOT,
    "redis": REDIS,
    "gpu": GPU,
}
