"""The cache."""

from boards.board import REPLICAS, Board, Panel, each

REDIS = Board(
    "slimdial-redis",
    "slimdial: Redis",
    "The cache server, from its own side and from the service's.",
    {
        "From the service": [
            Panel("Reachable", "bool_yes_no", each("slimdial_redis_up")),
            Panel("Entries in memory", "none", each("slimdial_memory_cache_entries")),
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
