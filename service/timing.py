"""How long a sub-network takes here and now."""

import statistics
from typing import Annotated

import numpy as np
from pydantic import Field

from model_store.latency import Place
from service.batches import Outputs
from service.lanes import Work
from service.patience import Allowed
from service.prediction import InUse, Predictions
from service.queries import query_for
from service.schemas import Answer, Body

_FIRST = 1
"""Runs before those that count: they bring the weights into the caches."""


class LatencyAsk(Body):
    """How often a sub-network is run."""

    runs: Annotated[int, Field(ge=1, le=100)] = 20


class LatencyAnswer(Answer):
    """Times of single runs at batch 1, without HTTP, decoding and waiting for a turn."""

    subnet_id: str
    runs: int
    fastest_ms: float
    median_ms: float
    slowest_ms: float
    place: Place
    """The machine and the settings that it was measured with."""


async def time_runs(
    predictions: Predictions, place: Place, subnet_id: str, runs: int, allowed: Allowed
) -> LatencyAnswer:
    """Runs a sub-network again and again; every run waits for its turn as predictions do.

    Args:
        predictions: get it ready and run it.
        place: where they do.
        subnet_id: which one.
        runs: how often.
        allowed: the time that all of them may take.

    Raises:
        ServiceError: as :meth:`Predictions.predict`.
    """
    async with predictions.use(query_for(subnet_id)) as used:
        work = _work(used)
        seconds = [
            await predictions.run(subnet_id, lambda: (None, work), _seconds, allowed)
            for _ in range(_FIRST + runs)
        ][_FIRST:]
    return LatencyAnswer(
        subnet_id=subnet_id,
        runs=runs,
        fastest_ms=1e3 * min(seconds),
        median_ms=1e3 * statistics.median(seconds),
        slowest_ms=1e3 * max(seconds),
        place=place,
    )


def _seconds(_: None, __: Outputs, seconds: float) -> float:
    return seconds


def _work(used: InUse) -> Work:
    image, tasks = used.model.manifest.input, used.metadata.tasks
    grey_NCHW = np.full((1, 3, image.height, image.width), 0.5, np.float32)
    known = used.metadata
    return Work(used.subnet_id, known.model, known.gmacs, used.session, tasks, grey_NCHW)
