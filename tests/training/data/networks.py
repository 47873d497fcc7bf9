"""Networks that only say which tasks are read, and at what size."""

from dataclasses import replace

from tests.training.tiny import dense
from training.recipe import NetworkConfig
from training.tasks import Task


def reading(*tasks: Task, height: int, width: int) -> NetworkConfig:
    """The configuration of a network for these tasks at this size."""
    return replace(dense().network, tasks=tasks, height=height, width=width)
