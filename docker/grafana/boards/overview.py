"""Whether the service is well."""

from boards.board import REPLICAS, Board, Panel, each, quantiles, rate

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
                "429: the queue was full. 499: the client left. 503: leaving, or no room. "
                "504: out of time.",
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
