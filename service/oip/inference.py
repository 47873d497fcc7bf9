"""Inference over the Open Inference Protocol: through the same queue as predictions."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.batches import Outputs
from service.errors import BadRequestError
from service.lanes import Work
from service.oip.describe import output_shapes
from service.oip.reading import Bounds, Request, binary_outputs, tensor, wanted
from service.oip.repository import Repository
from service.oip.statistics import Statistics, Times
from service.oip.writing import Encoded, encode, size
from service.patience import Allowed
from service.prediction import InUse, Predictions


@dataclass(frozen=True)
class _Job:
    """What a worker thread needs."""

    request: Request
    used: InUse
    names: tuple[str, ...]
    binary: frozenset[str]
    input_NCHW: NDArray[np.float32]
    submitted: float


@dataclass(frozen=True)
class _Done:
    encoded: Encoded
    times: Times


class Inference:
    """Tensors in, tensors out, with any version of the models served."""

    def __init__(
        self,
        repository: Repository,
        predictions: Predictions,
        statistics: Statistics,
        max_batch: int,
        max_output_bytes: int,
    ) -> None:
        """The parts that inferences go through.

        Args:
            repository: the versions.
            predictions: gets their networks ready and runs them.
            statistics: told of every inference.
            max_batch: the most images of a request.
            max_output_bytes: of one answer.
        """
        self._repository = repository
        self._predictions = predictions
        self._statistics = statistics
        self._max_batch = max_batch
        self._max_output_bytes = max_output_bytes

    def bounds(self, name: str) -> Bounds:
        """The inputs that a model takes.

        Raises:
            ServiceError: there is no such model, or it was unloaded.
        """
        image = self._repository.model(name).manifest.input
        return Bounds(image.height, image.width, self._max_batch)

    async def infer(
        self, name: str, version: str | None, request: Request, allowed: Allowed
    ) -> Encoded:
        """The answer to a request.

        Args:
            name: of the model.
            version: id or number of a sub-network; without one, that of the parameters or the
                full network.
            request: what came.
            allowed: the time that it may take.

        Raises:
            ServiceError: any of its kinds that are a client's mistake, or overload.
            InfeasibleBudget: no sub-network is that small.
        """
        model = self._repository.model(name)
        # Refused before anything is searched or built; text is parsed where nobody waits for it.
        parse = partial(tensor, request, self.bounds(name))
        has_text = any(i.data is not None for i in request.body.inputs)
        input_NCHW = await asyncio.to_thread(parse) if has_text else parse()
        names = wanted(request.body.outputs, model.space.tasks)
        subnet_id = None if version is None else await self._repository.subnet_id(version)
        wish = self._repository.wish(model, subnet_id, request.body.parameters)
        async with self._predictions.use(wish) as used:
            await self._repository.used(model, wish, used)
            start = time.perf_counter()
            names = wanted(request.body.outputs, used.metadata.tasks)
            binary = binary_outputs(request.body, names)
            self._check_size(used, names, len(input_NCHW), binary)
            job = _Job(request, used, names, binary, input_NCHW, start)
            try:
                done = await self._predictions.run(
                    used.subnet_id, partial(_prepare, job), _finish, allowed
                )
            except BaseException:  # a client that leaves or a deadline is a cancellation
                self._statistics.failed(name, used.subnet_id, time.perf_counter() - start)
                raise
        self._statistics.succeeded(
            name, used.subnet_id, len(input_NCHW), done.times, now_s=time.time()
        )
        return done.encoded

    def _check_size(
        self, used: InUse, names: tuple[str, ...], batch: int, binary: frozenset[str]
    ) -> None:
        expected = size(output_shapes(used.model, names), batch, binary)
        if expected > self._max_output_bytes:
            raise BadRequestError(
                f"the outputs take about {expected} bytes, {self._max_output_bytes} are allowed: "
                "ask for fewer outputs or images, or for binary data",
                max_output_bytes=self._max_output_bytes,
            )


def _prepare(job: _Job) -> tuple[tuple[_Job, float], Work]:
    work = Work(
        job.used.subnet_id,
        job.used.metadata.model,
        job.used.metadata.gmacs,
        job.used.session,
        job.names,
        job.input_NCHW,
    )
    return (job, time.perf_counter()), work


def _finish(prepared: tuple[_Job, float], outputs: Outputs, infer_s: float) -> _Done:
    (job, began), start = prepared, time.perf_counter()
    used, body = job.used, job.request.body
    head: dict[str, object] = {"model_name": used.metadata.model, "model_version": used.subnet_id}
    if body.id is not None:
        head["id"] = body.id
    head["parameters"] = {"subnet_id": used.subnet_id, "gmacs": used.metadata.gmacs}
    encoded = encode(head, {n: outputs[n] for n in job.names}, job.binary)
    times = Times(
        queue=began - job.submitted,
        input=max(0.0, start - began - infer_s),
        infer=infer_s,
        output=time.perf_counter() - start,
    )
    return _Done(encoded, times)
