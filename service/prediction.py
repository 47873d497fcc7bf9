"""From an image to an answer: decode, run the sub-network, encode."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import onnxruntime as ort  # type: ignore[import-untyped]
from PIL.Image import Image

from model_store.examples import Example
from model_store.manifest import Task
from model_store.published import PublishedModel
from model_store.subnetwork import SubnetMetadata
from service import logs
from service.autopilot.pilot import Autopilot
from service.batches import Outputs
from service.errors import UnprocessableError
from service.examples import measured
from service.imaging import ImageLimits, Picture, opened, prepared, scans
from service.lanes import Lanes, Work
from service.outputs import Output, as_json, as_npz, check_size, dumps, interpret
from service.patience import Allowed
from service.pictures import draw
from service.scheduling.admission import Admission
from service.schemas import PredictQuery
from service.sessions import Held, Sessions
from service.subnets import Subnets

P = TypeVar("P")
R = TypeVar("R")

_GLANCE_BYTES = 1 << 16
"""The largest file whose header is read on the event loop."""
_JPEG = b"\xff\xd8\xff"  # a PNG may have megabytes of deflated text before its pixels

Form = Literal["application/json", "application/x-npz", "image/png"]


@dataclass(frozen=True)
class Sent:
    """The image of a prediction."""

    content: bytes
    example: Example | None = None
    """The example that it is of, where it is one."""


Source = bytes | Callable[[PublishedModel], Sent]
"""An image file, or what gives it for the model that predicts: called in a worker thread, may raise
a ServiceError."""


@dataclass(frozen=True)
class Answered:
    """The body of a response, and its type."""

    content: bytes
    media_type: Form
    subnet_id: str
    gmacs: float
    """Of the sub-network that was served."""


@dataclass(frozen=True)
class InUse:
    """A sub-network that cannot be closed while this is held."""

    subnet_id: str
    hit: bool
    """Whether it had been built before."""
    level: int | None
    """Levels below what was asked; None where the request does not allow that."""
    metadata: SubnetMetadata
    model: PublishedModel
    session: ort.InferenceSession


@dataclass(frozen=True)
class _Job:
    """Everything that one prediction needs."""

    used: InUse
    form: Form
    drawn: str | None
    source: Source
    image: Image | None
    """Of the source, where its header has been read."""


@dataclass(frozen=True)
class _Prepared:
    """A job whose picture is decoded."""

    job: _Job
    tasks: Mapping[str, Task]
    example: Example | None
    picture: Picture
    decode_s: float


@dataclass(frozen=True)
class Parts:
    """What predictions go through."""

    subnets: Subnets
    sessions: Sessions
    lanes: Lanes
    autopilot: Callable[[Callable[[str], Awaitable[None]], Callable[[], int]], Autopilot] | None
    """Makes the autopilot, told how a session is made and how many predictions wait."""


class Predictions:
    """Predictions with any sub-network of the models served."""

    def __init__(
        self, parts: Parts, places: int, image_limits: ImageLimits, max_output_bytes: int
    ) -> None:
        """The parts that predictions go through.

        Args:
            parts: those.
            places: the most predictions that wait for their sub-network.
            image_limits: of input images.
            max_output_bytes: of one answer's dense outputs.
        """
        self._parts = parts
        self._image_limits = image_limits
        self._max_output_bytes = max_output_bytes
        self._preparing = Admission("predictions wait for their sub-network", places)
        self.autopilot = (
            parts.autopilot(self._load, lambda: self.waiting) if parts.autopilot else None
        )

    @property
    def lanes(self) -> Lanes:
        """Where networks run."""
        return self._parts.lanes

    @property
    def waiting(self) -> int:
        """Predictions that wait for their turn."""
        return self._parts.lanes.waiting

    @property
    def running(self) -> int:
        """Predictions whose turn it is."""
        return self._parts.lanes.running

    async def predict(
        self, query: PredictQuery, source: Source, form: Form, allowed: Allowed
    ) -> Answered:
        """Predicts with the sub-network that a query names or dials.

        Args:
            query: the sub-network, and the task to draw.
            source: of the image.
            form: what to answer with.
            allowed: the time that it may take.

        Raises:
            ServiceError: any of its kinds that are a client's mistake, or overload.
            InfeasibleBudget: no sub-network is that small.
        """
        if form == "image/png" and query.task is None:
            raise UnprocessableError("Accept: image/png needs task=NAME, the task to draw")
        async with self.use(query) as used:
            image = self._at_a_glance(source)
            job = _Job(used, form, query.task, source, image)
            kind = None
            if image is not None and isinstance(source, bytes):
                effort = image.width * image.height * scans(source)
                kind = (used.subnet_id, form, query.task, image.format, effort.bit_length())
            prepare = partial(self._prepare, job)
            return await self.run(used.subnet_id, prepare, self._encode, allowed, kind)

    def _at_a_glance(self, source: Source) -> Image | None:
        """The image with its header read, where that is quick and is good for something."""
        if (
            self.lanes.runs_brief_work_here
            and isinstance(source, bytes)
            and len(source) <= _GLANCE_BYTES
            and source.startswith(_JPEG)
        ):
            return opened(source, self._image_limits)
        return None

    async def run(
        self,
        subnet_id: str,
        prepare: Callable[[], tuple[P, Work]],
        finish: Callable[[P, Outputs, float], R],
        allowed: Allowed,
        kind: Hashable = None,
    ) -> R:
        """As :meth:`Lanes.run`, where the autopilot sees it."""
        with self.autopilot.meter.prediction(allowed.since) if self.autopilot else nullcontext():
            return await self._parts.lanes.run(subnet_id, prepare, finish, allowed.until, kind)

    @contextlib.asynccontextmanager
    async def use(self, query: PredictQuery) -> AsyncIterator[InUse]:
        """The sub-network that a query names or dials, ready to run.

        Raises:
            ServiceError: there is none, or too many wait for theirs.
            InfeasibleBudget: no sub-network is that small.
        """
        # Waiting for a build or a load takes no place from those whose session is there.
        with self._preparing.enter(self._parts.subnets.retry_after_s):
            subnet_id, hit, level = await self._resolve(query)
            held = await self._hold(subnet_id)
        try:
            cache = "hit" if hit else "miss"
            logs.note(model=held.metadata.model, subnet_id=subnet_id, cache=cache)
            model = self._parts.subnets.model_of(held.metadata)
            yield InUse(subnet_id, hit, level, held.metadata, model, held.session)
        finally:
            self._parts.sessions.release(subnet_id)

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
        await self._hold(subnet_id)
        self._parts.sessions.release(subnet_id)

    async def _hold(self, subnet_id: str) -> Held:
        async def load() -> tuple[SubnetMetadata, bytes]:
            stored, content = await self._parts.subnets.onnx(subnet_id)
            return stored.metadata, content

        return await self._parts.sessions.hold(subnet_id, load)

    def _prepare(self, job: _Job) -> tuple[_Prepared, Work]:
        start = time.perf_counter()
        used, source, limits = job.used, job.source, self._image_limits
        tasks = _wanted(job)
        sent = Sent(source) if isinstance(source, bytes) else source(used.model)
        image = job.image or opened(sent.content, limits)
        spec = used.model.manifest.input
        picture = prepared(image, spec.height, spec.width, limits)
        check_size(
            tasks,
            picture.height,
            picture.width,
            self._max_output_bytes,
            raw=job.form == "application/x-npz",
        )
        known, input_NCHW = used.metadata, picture.input_NCHW
        work = Work(
            used.subnet_id, known.model, known.gmacs, used.session, tuple(tasks), input_NCHW
        )
        decode_s = time.perf_counter() - start
        return _Prepared(job, tasks, sent.example, picture, decode_s), work

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
                content = _json(prepared, outputs, infer_s, start)
        return Answered(content, job.form, job.used.subnet_id, job.used.metadata.gmacs)


def _wanted(job: _Job) -> Mapping[str, Task]:
    """The tasks to run: all of the sub-network's, or the one to draw."""
    known = job.used.metadata.tasks
    if job.drawn is not None and job.drawn not in known:
        raise UnprocessableError(f"unknown task {job.drawn!r}; this sub-network has {list(known)}")
    names = known if job.drawn is None or job.form != "image/png" else (job.drawn,)
    return {name: job.used.model.manifest.task(name) for name in names}


def _json(
    prepared: _Prepared, outputs: Mapping[str, Output], infer_s: float, start: float
) -> bytes:
    used, example = prepared.job.used, prepared.example
    body = {
        "subnet_id": used.subnet_id,
        "gmacs": used.metadata.gmacs,
        "cache": "hit" if used.hit else "miss",
        **({} if used.level is None else {"level": used.level}),
        "timings_ms": {
            "decode": 1e3 * prepared.decode_s,
            "infer": 1e3 * infer_s,
            "encode": 1e3 * (time.perf_counter() - start),
        },
        "outputs": {name: as_json(output) for name, output in outputs.items()},
        **({} if example is None else {"measured": measured(example, outputs)}),
    }
    return dumps(body)
