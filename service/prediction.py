"""From an image to an answer: decode, run the sub-network, encode.

Where batching does not pay (the CPU) all three are one hop to a worker thread, behind one queue.
Where it does (a GPU), pictures are decoded in parallel first, then gathered into batches.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeAlias

import onnxruntime as ort  # type: ignore[import-untyped]
from pydantic_core import to_json

from model_store.manifest import Task
from model_store.published import PublishedModel
from model_store.subnetwork import SubnetMetadata
from service.autopilot.pilot import Autopilot
from service.batches import Outputs, join, split
from service.device import Device
from service.errors import UnprocessableError
from service.imaging import ImageLimits, Picture, decode
from service.metrics import Metrics
from service.outputs import Output, as_json, as_npz, check_size, interpret
from service.pictures import draw
from service.scheduling.admission import Admission
from service.scheduling.scheduler import Limits, Scheduler
from service.schemas import PredictQuery
from service.sessions import Held, Sessions
from service.subnets import Subnets

Form = Literal["application/json", "application/x-npz", "image/png"]


@dataclass(frozen=True)
class Answered:
    """The body of a response, and its type."""

    content: bytes
    media_type: Form
    subnet_id: str
    gmacs: float
    """Of the sub-network that was served."""


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
    level: int | None


@dataclass(frozen=True)
class _Prepared:
    """A job whose picture is decoded."""

    job: _Job
    tasks: Mapping[str, Task]
    picture: Picture
    decode_s: float


_Key: TypeAlias = tuple[str, tuple[str, ...], tuple[int, ...]]
"""Sub-network, tasks and input shape: predictions that agree in them may share a run."""


@dataclass(frozen=True)
class Parts:
    """What predictions go through."""

    subnets: Subnets
    sessions: Sessions
    device: Device
    executor: Executor
    """Where pictures are decoded and answers encoded; on the CPU networks run here too."""
    accelerator: Executor
    """Where batches run."""
    autopilot: Callable[[Callable[[str], Awaitable[None]], Callable[[], int]], Autopilot] | None
    """Makes the autopilot, told how a session is made and how many predictions wait."""


class Predictions:
    """Predictions with any sub-network of the models served."""

    def __init__(
        self,
        parts: Parts,
        limits: Limits,
        image_limits: ImageLimits,
        max_output_bytes: int,
        metrics: Metrics,
    ) -> None:
        """The parts that predictions go through.

        Args:
            parts: those.
            limits: of what runs and waits; with ``batch`` 1 nothing is batched.
            image_limits: of input images.
            max_output_bytes: of one answer's dense outputs.
            metrics: told how long things took.
        """
        self._parts = parts
        self._image_limits = image_limits
        self._max_output_bytes = max_output_bytes
        self._metrics = metrics
        self._alone: Scheduler[str, _Job, Answered] = Scheduler(
            lambda jobs: [self._run_alone(job) for job in jobs],
            parts.executor,
            Limits(limits.slots, limits.queue),
            metrics.count_batch,
        )
        self._decoding: Scheduler[str, _Job, _Prepared] = Scheduler(
            lambda jobs: [self._prepare(job) for job in jobs],
            parts.executor,
            Limits(limits.slots, limits.queue),
        )
        self._batched: Scheduler[_Key, _Prepared, Outputs] = Scheduler(
            self._run_together,
            parts.accelerator,
            # One batch at a time: while it runs, the next one gathers.
            Limits(1, limits.queue, limits.batch),
            metrics.count_batch,
        )
        self._batching = limits.batch > 1
        self._preparing = Admission(
            "predictions wait for their sub-network", limits.slots + limits.queue
        )
        self.autopilot = (
            parts.autopilot(self._load, lambda: self.waiting) if parts.autopilot else None
        )

    @property
    def waiting(self) -> int:
        """Predictions that wait for their turn."""
        return self._alone.waiting + self._decoding.waiting + self._batched.waiting

    @property
    def running(self) -> int:
        """Predictions whose turn it is."""
        return self._alone.running + self._decoding.running + self._batched.running

    async def predict(
        self, query: PredictQuery, image: Callable[[], bytes], form: Form, deadline: float
    ) -> Answered:
        """Predicts with the sub-network that a query names or dials.

        Args:
            query: the sub-network, and the task to draw.
            image: gives the image file; called in a worker thread, may raise a ServiceError.
            form: what to answer with.
            deadline: in seconds of the event loop's clock.

        Raises:
            ServiceError: any of its kinds that are a client's mistake, or overload.
            InfeasibleBudget: no sub-network is that small.
        """
        if form == "image/png" and query.task is None:
            raise UnprocessableError("Accept: image/png needs task=NAME, the task to draw")
        async with contextlib.AsyncExitStack() as in_use:
            # Waiting for a build or a load takes no place from those whose session is there.
            with self._preparing.enter(self._parts.subnets.retry_after_s):
                subnet_id, hit, level = await self._resolve(query)
                held = await in_use.enter_async_context(self._session(subnet_id))
            job = _Job(
                image=image,
                form=form,
                drawn=query.task,
                subnet_id=subnet_id,
                metadata=held.metadata,
                model=self._parts.subnets.model_of(held.metadata),
                session=held.session,
                cache="hit" if hit else "miss",
                level=level,
            )
            with self.autopilot.meter.prediction() if self.autopilot else nullcontext():
                if self._batching:
                    return await self._in_stages(job, deadline)
                return await self._alone.submit(subnet_id, job, deadline)

    async def _resolve(self, query: PredictQuery) -> tuple[str, bool, int | None]:
        """The sub-network to use, whether it had been built before, and its level."""
        if query.subnet_id is not None:
            return query.subnet_id, True, None
        dial = query.dial()
        if query.adaptive and self.autopilot is not None:
            adapted = await self.autopilot.dial(dial)
            return adapted.dialled.subnet_id, adapted.dialled.hit, adapted.level
        dialled = await self._parts.subnets.dial(dial)
        return dialled.subnet_id, dialled.hit, 0 if query.adaptive else None

    async def _load(self, subnet_id: str) -> None:
        async with self._session(subnet_id):
            pass

    def _session(self, subnet_id: str) -> AbstractAsyncContextManager[Held]:
        async def load() -> tuple[SubnetMetadata, bytes]:
            stored, content = await self._parts.subnets.onnx(subnet_id)
            return stored.metadata, content

        return self._parts.sessions.use(subnet_id, load)

    async def _in_stages(self, job: _Job, deadline: float) -> Answered:
        prepared = await self._decoding.submit(job.subnet_id, job, deadline)
        shape = prepared.picture.input_NCHW.shape
        key = (job.subnet_id, tuple(prepared.tasks), shape)
        start = time.perf_counter()
        outputs = await self._batched.submit(key, prepared, deadline)
        infer_s = time.perf_counter() - start
        loop = asyncio.get_running_loop()
        encode = self._encode
        return await loop.run_in_executor(self._parts.executor, encode, prepared, outputs, infer_s)

    def _run_alone(self, job: _Job) -> Answered:
        prepared = self._prepare(job)
        start = time.perf_counter()
        (outputs,) = self._run_together([prepared])
        return self._encode(prepared, outputs, time.perf_counter() - start)

    def _prepare(self, job: _Job) -> _Prepared:
        start = time.perf_counter()
        tasks = _wanted(job)
        spec = job.model.manifest.input
        picture = decode(job.image(), spec.height, spec.width, self._image_limits)
        check_size(
            tasks,
            picture.height,
            picture.width,
            self._max_output_bytes,
            raw=job.form == "application/x-npz",
        )
        return _Prepared(job, tasks, picture, time.perf_counter() - start)

    def _run_together(self, batch: Sequence[_Prepared]) -> list[Outputs]:
        """One run for all of them; they have the same key."""
        first = batch[0]
        input_NCHW = join([p.picture.input_NCHW for p in batch])
        start = time.perf_counter()
        outputs = self._parts.device.run(first.job.session, tuple(first.tasks), input_NCHW)
        seconds = time.perf_counter() - start
        self._metrics.inference_seconds.labels(first.job.metadata.model).observe(seconds)
        return split(outputs, [1] * len(batch))

    def _encode(self, prepared: _Prepared, raw: Outputs, infer_s: float) -> Answered:
        start = time.perf_counter()
        job, picture = prepared.job, prepared.picture
        outputs = interpret(prepared.tasks, raw, picture.height, picture.width)
        match job.form:
            case "application/x-npz":
                content = as_npz(outputs)
            case "image/png":
                content = draw(next(iter(outputs.values())))
            case "application/json":
                content = _json(job, outputs, prepared.decode_s, infer_s, start)
        return Answered(content, job.form, job.subnet_id, job.metadata.gmacs)


def _wanted(job: _Job) -> Mapping[str, Task]:
    """The tasks to run: all of the sub-network's, or the one to draw."""
    known = job.metadata.tasks
    if job.drawn is not None and job.drawn not in known:
        raise UnprocessableError(f"unknown task {job.drawn!r}; this sub-network has {list(known)}")
    names = known if job.drawn is None or job.form != "image/png" else (job.drawn,)
    return {name: job.model.manifest.task(name) for name in names}


def _json(
    job: _Job, outputs: Mapping[str, Output], decode_s: float, infer_s: float, start: float
) -> bytes:
    answers = {name: as_json(output) for name, output in outputs.items()}
    body = {
        "subnet_id": job.subnet_id,
        "gmacs": job.metadata.gmacs,
        "cache": job.cache,
        **({} if job.level is None else {"level": job.level}),
        "timings_ms": {
            "decode": 1e3 * decode_s,
            "infer": 1e3 * infer_s,
            "encode": 1e3 * (time.perf_counter() - start),
        },
        "outputs": answers,
    }
    return to_json(body, inf_nan_mode="null")
