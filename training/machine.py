"""What the code runs on."""

import os
import platform
import sys
from importlib.metadata import version
from typing import Any

import torch

from training.ranks import Ranks

PACKAGES = ("slimdial", "torch", "numpy")
"""Whose versions a run records."""


def usable_cores() -> int:
    """Cores that this process may run on: a container or a scheduler may grant only some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(ranks: Ranks) -> dict[str, Any]:
    """Versions and devices, as they stand in a run's environment.json."""
    found: dict[str, Any] = {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "ranks": ranks.count,
        "device": ranks.device.type,
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
    }
    if ranks.device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(ranks.device)
        found["cuda"] = torch.version.cuda
    return found
