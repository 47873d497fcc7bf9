"""The pure core: search space, cost, prediction, search and extraction. No I/O, no torch."""
