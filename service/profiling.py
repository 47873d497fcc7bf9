"""Measuring how fast a model's sub-networks are here, and fitting a latency model to it.

Networks are made and run as for predictions. On a busy machine single times mean little, so rounds
over all sub-networks are interleaved, which spreads what disturbs over all of them, and the fastest
run of each counts. Where a network runs on one thread of the CPU its time is that thread's
processor time: a run that the operating system interrupts takes no longer for that.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from model_store.calibration import calibrate
from model_store.latency import LatencyProfile, Place, ProfileErrors
from model_store.published import PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.latency import LatencyModel, Sample, errors, fit
from model_store.subnet.space import Architecture
from model_store.subnetwork import finish
from service.device import Device

Tasks = tuple[str, ...]

_IMAGES = 2
"""Calibration images: activations must be of ordinary size, not exact."""

_RUNS = 2
"""Consecutive runs in a round: the first one brings the weights into the caches."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    fitted: int = 60
    """Sub-networks that the model is fitted to."""
    held_out: int = 20
    """Sub-networks that only its error is measured on."""
    rounds: int = 40
    """Over all of them."""

    def __post_init__(self) -> None:
        if self.fitted < 8 or self.held_out < 1 or self.rounds < 1:
            raise ValueError("at least 8 sub-networks, 1 held out and 1 round are needed")

    @property
    def steps(self) -> int:
        """Steps of the progress: networks that are made, then rounds."""
        return self.fitted + self.held_out + self.rounds


def profile(
    model: PublishedModel,
    device: Device,
    place: Place,
    plan: Plan,
    step: Callable[[str], None] = lambda _: None,
) -> LatencyProfile:
    """Measures and fits.

    Args:
        model: whose sub-networks.
        device: where they run.
        place: its description.
        plan: how much is measured.
        step: told what was done after each step of the plan.
    """
    chosen = list(sampled(model, np.random.default_rng(0), plan.fitted + plan.held_out))
    sessions = []
    for architecture, tasks in chosen:
        sessions.append(_session(model, device, architecture, tasks))
        step("making networks")
    ms = _fastest(model, device, sessions, plan.rounds, step)
    samples = [Sample(a, t, m) for (a, t), m in zip(chosen, ms, strict=True)]
    # The extremes come first: predictions should never be beyond what was fitted.
    fitted, held_out = samples[: plan.fitted], samples[plan.fitted :]
    found = fit(model.space, model.cost.terms, fitted)
    return LatencyProfile(
        model=model.manifest.name,
        version=model.manifest.version,
        model_digest=model.digest,
        place=place,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        onnxruntime=ort.__version__,
        measured=len(samples),
        fastest_ms=float(ms.min()),
        slowest_ms=float(ms.max()),
        held_out=_judged(found, model, held_out),
        block=found.block,
        rates=dict(found.rates),
    )


def sampled(
    model: PublishedModel, rng: np.random.Generator, count: int
) -> Iterator[tuple[Architecture, Tasks]]:
    """Sub-networks over the whole range: the extremes, then random ones around random widths.

    Independent widths alone would all have about the same cost. Two in five lack some decoders.
    """
    space = model.space
    yield space.smallest(), space.tasks
    yield space.largest(), space.tasks
    for _ in range(count - 2):
        width, spread = rng.random(), 0.6 * rng.random()
        ratio_G = width + spread * rng.uniform(-1.0, 1.0, len(space.groups))
        highest_G = space.choices_G - 1
        choices_G = np.clip(np.rint(ratio_G * highest_G), 0, highest_G).astype(np.int64)
        tasks = space.tasks
        if rng.random() < 0.4:
            kept = rng.choice(len(tasks), int(rng.integers(1, len(tasks) + 1)), replace=False)
            tasks = tuple(t for i, t in enumerate(tasks) if i in kept)
        yield space.architecture(choices_G), tasks


def _session(
    model: PublishedModel, device: Device, architecture: Architecture, tasks: Tasks
) -> ort.InferenceSession:
    sliced = cut(model.graph, model.space, model.manifest.slices, architecture, tasks)
    statistics = calibrate(sliced, model.calibration_NHWC[:_IMAGES], 1, providers=device.providers)
    return device.session(finish(sliced, statistics, {})[1])


def _fastest(
    model: PublishedModel,
    device: Device,
    sessions: Sequence[ort.InferenceSession],
    rounds: int,
    step: Callable[[str], None],
) -> NDArray[np.float64]:
    """The fastest run of each network in milliseconds, [S]."""
    spec = model.manifest.input
    rng = np.random.default_rng(0)
    input_NCHW = rng.random((1, 3, spec.height, spec.width), dtype=np.float32)
    names = [[o.name for o in session.get_outputs()] for session in sessions]
    alone = not device.is_gpu and device.intra_op_threads == 1
    clock = time.thread_time if alone else time.perf_counter
    best = np.full(len(sessions), np.inf)
    for _ in range(rounds):
        for i in rng.permutation(len(sessions)):
            for _ in range(_RUNS):
                start = clock()
                device.run(sessions[i], names[i], input_NCHW)
                best[i] = min(best[i], 1e3 * (clock() - start))
        step("measuring")
    return best


def _judged(
    found: LatencyModel, model: PublishedModel, held_out: Sequence[Sample]
) -> ProfileErrors:
    wrong_S = np.abs(errors(found, model.space, model.cost.terms, held_out))
    return ProfileErrors(
        sub_networks=len(held_out),
        within_10_percent=float(np.mean(wrong_S <= 0.1)),
        median=float(np.median(wrong_S)),
        p90=float(np.quantile(wrong_S, 0.9)),
        worst=float(wrong_S.max()),
    )
