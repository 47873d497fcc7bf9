"""What users dial, and what they get."""

from boards.board import MEAN_GMACS, MODELS, OF_MODEL, Board, Panel, each, quantiles, rate

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
