"""Autopilot: smaller sub-networks under load, where requests allow it."""
