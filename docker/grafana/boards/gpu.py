"""The GPU."""

from boards.board import REPLICAS, Board, Panel, each

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
