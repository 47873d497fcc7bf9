"""What the autopilot does under load."""

from boards.board import MEAN_GMACS, MODELS, Board, Panel, each, quantiles, rate

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
