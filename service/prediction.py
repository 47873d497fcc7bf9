"""From an image to an answer: decode, run the sub-network, encode. One hop to a worker thread."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic_core import to_json

from model_store.manifest import Task
from model_store.published import PublishedModel
from model_store.subnetwork import SubnetMetadata
from service.errors import UnprocessableError
from service.imaging import ImageLimits, decode
from service.metrics import Metrics
from service.outputs import Output, as_json, as_npz, check_size, interpret
from service.pictures import draw
from service.schemas import PredictQuery
from service.sessions import Sessions
from service.subnets import Subnets

T = TypeVar("T")

Form = Literal["application/json", "application/x-npz", "image/png"]


@dataclass(frozen=True)
class Answered:
    """The body of a response, and its type."""

    content: bytes
    media_type: Form


@dataclass(frozen=True)
class _Job:
    """Everything that a worker thread needs for one prediction."""

    image: Callable[[], bytes]
    form: Form
    drawn: str | None
    subnet_id: str
    metadata: SubnetMetadata
    model: PublishedModel
    session: ort.InferenceSession
    cache: Literal["hit", "miss"]


class Predictions:
    """Predictions with any sub-network of the models served."""

    def __init__(
        self,
        subnets: Subnets,
        sessions: Sessions,
        executor: Executor,
        limits: ImageLimits,
        max_output_bytes: int,
        metrics: Metrics,
    ) -> None:
        """The parts that predictions go through.

        Args:
            subnets: gives sub-networks.
            sessions: holds them ready.
            executor: where predictions run.
            limits: of input images.
            max_output_bytes: of one answer's dense outputs.
            metrics: told how long ONNX Runtime took.
        """
        self._subnets = subnets
        self._sessions = sessions
        self._executor = executor
        self._limits = limits
        self._max_output_bytes = max_output_bytes
        self._metrics = metrics

    async def predict(
        self, query: PredictQuery, image: Callable[[], bytes], form: Form
    ) -> Answered:
        """Predicts with the sub-network that a query names or dials.

        Args:
            query: the sub-network, and the task to draw.
            image: gives the image file; called in a worker thread, may raise a ServiceError.
            form: what to answer with.

        Raises:
            ServiceError: any of its kinds that are a client's mistake.
            InfeasibleBudget: no sub-network is that small.
        """
        if form == "image/png" and query.task is None:
            raise UnprocessableError("Accept: image/png needs task=NAME, the task to draw")
        hit = True
        if query.subnet_id is None:
            dialled = await self._subnets.dial(query.dial())
            subnet_id, hit = dialled.subnet_id, dialled.hit
        else:
            subnet_id = query.subnet_id

        async def load() -> tuple[SubnetMetadata, bytes]:
            stored, content = await self._subnets.onnx(subnet_id)
            return stored.metadata, content

        async with self._sessions.use(subnet_id, load) as held:
            job = _Job(
                image=image,
                form=form,
                drawn=query.task,
                subnet_id=subnet_id,
                metadata=held.metadata,
                model=self._subnets.model_of(held.metadata),
                session=held.session,
                cache="hit" if hit else "miss",
            )
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._run, job)

    def _run(self, job: _Job) -> Answered:
        start = time.perf_counter()
        tasks = _wanted(job)
        spec = job.model.manifest.input
        picture = decode(job.image(), spec.height, spec.width, self._limits)
        check_size(
            tasks,
            picture.height,
            picture.width,
            self._max_output_bytes,
            raw=job.form == "application/x-npz",
        )
        decoded = time.perf_counter()
        names = list(tasks)
        found = job.session.run(names, {"image": picture.input_NCHW})
        raw: dict[str, NDArray[np.float32]] = dict(zip(names, found, strict=True))
        inferred = time.perf_counter()
        self._metrics.inference_seconds.labels(job.metadata.model).observe(inferred - decoded)
        outputs = interpret(tasks, raw, picture.height, picture.width)
        match job.form:
            case "application/x-npz":
                return Answered(as_npz(outputs), job.form)
            case "image/png":
                return Answered(draw(outputs[names[0]]), job.form)
        return _json(job, outputs, (start, decoded, inferred))


def _wanted(job: _Job) -> Mapping[str, Task]:
    """The tasks to run: all of the sub-network's, or the one to draw."""
    known = job.metadata.tasks
    if job.drawn is not None and job.drawn not in known:
        raise UnprocessableError(f"unknown task {job.drawn!r}; this sub-network has {list(known)}")
    names = known if job.drawn is None or job.form != "image/png" else (job.drawn,)
    return {name: job.model.manifest.task(name) for name in names}


def _json(job: _Job, outputs: Mapping[str, Output], times: tuple[float, float, float]) -> Answered:
    start, decoded, inferred = times
    answers = {name: as_json(output) for name, output in outputs.items()}
    body = {
        "subnet_id": job.subnet_id,
        "gmacs": job.metadata.gmacs,
        "cache": job.cache,
        "timings_ms": {
            "decode": 1e3 * (decoded - start),
            "infer": 1e3 * (inferred - decoded),
            "encode": 1e3 * (time.perf_counter() - inferred),
        },
        "outputs": answers,
    }
    return Answered(to_json(body, inf_nan_mode="null"), "application/json")
