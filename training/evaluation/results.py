"""What the parts of an evaluation hand on and leave in files: frozen, and read back as written."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from model_store.subnet.search import Algorithm
from training.evaluate import Quality
from training.evaluation.judged import Judged


class Result(BaseModel):
    """A part of a result."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(Result):
    """A sub-network and its quality on the test split."""

    channels: dict[str, int]
    gmacs: float
    quality: Quality


class Answer(Result):
    """What a search answered to a preference under a budget."""

    algorithm: Algorithm
    share: float
    """The budget as a share of the full network's GMACs."""
    budget_gmacs: float
    attainable_gmacs: float
    """The most that the preference lets a sub-network cost: the widest encoder beside Eq. 4's
    decoders, or the budget if that is less."""
    preference: dict[str, float]
    channels: dict[str, int]
    gmacs: float
    predicted: Quality
    measured: Quality | None
    """On the test split; None of a published model, which comes without a checkpoint."""


class Answers(Result):
    """Every algorithm's answers to the same preferences at the same budgets."""

    answers: tuple[Answer, ...]

    def of(self, algorithm: Algorithm, share: float) -> tuple[Answer, ...]:
        """One algorithm's answers at one budget, in the order of the preferences."""
        return tuple(a for a in self.answers if (a.algorithm, a.share) == (algorithm, share))


class SweepPoint(Result):
    """The sub-network for equal preferences at one budget."""

    budget_gmacs: float
    gmacs: float
    predicted: Quality
    measured: Quality | None


class Sweep(Result):
    """Quality against the budget (Fig. 6)."""

    points: tuple[SweepPoint, ...]
    uniform: tuple[SweepPoint, ...]
    """Sub-networks of one width ratio for every group, which need no search."""


class EncoderPoint(Result):
    """One budget of Fig. 5."""

    budget_gmacs: float
    found: dict[Algorithm, Measured]
    random: tuple[Measured, ...]
    """Random encoders with the same decoders to start from, filled up to the budget."""


class Encoders(Result):
    """The search against random encoders (Fig. 5)."""

    points: tuple[EncoderPoint, ...]


EncoderSize = Literal["largest", "smallest"]


class MarginalCurve(Result):
    """A task's metric against its own preference, others marginalised (Fig. 7)."""

    task: str
    encoder: EncoderSize
    preference: tuple[float, ...]
    metric: tuple[float, ...]


class Marginal(Result):
    """Fig. 7: the decoders of Eq. 4 beside the largest and the smallest encoder."""

    curves: tuple[MarginalCurve, ...]


class DecoderWidths(Result):
    """The decoders that one preference gives (Fig. 8)."""

    preference: dict[str, float]
    normalised: dict[str, float]
    eq4: dict[str, float]
    """Width ratios by Eq. 4, by task."""
    found: dict[str, float]
    """Those of the search's answer at the tightest budget."""


class Decoders(Result):
    """Decoder widths for preferences (Fig. 8)."""

    budget_gmacs: float
    rows: tuple[DecoderWidths, ...]


class Baseline(Result):
    """A network that the SuperNet is compared with."""

    variant: str
    run: str | None
    """The run folder's name; None if there is none, or it is still in training."""
    options: str
    """What ``slimdial-train train`` makes it with."""
    largest: Measured | None
    smallest: Measured | None


class Baselines(Result):
    """MTL-Static, single-task networks, and the SuperNet trained otherwise."""

    full: Measured
    """This SuperNet at full width."""
    smallest: Measured
    """Its smallest sub-network."""
    static: Baseline
    singles: dict[str, Baseline]
    """By task."""
    no_distillation: Baseline | None
    """None of a run without distillation, which is that itself."""


class CalibrationPoint(Result):
    """A sub-network calibrated on so many images."""

    images: int
    network: str
    metrics: dict[str, float]
    """Mean metric by kind of task."""


class Calibration(Result):
    """Quality against the number of calibration images."""

    points: tuple[CalibrationPoint, ...]


class Parity(Result):
    """Slices of the ONNX file against PyTorch's own."""

    checks: int
    tolerance: float
    largest_error: float | None
    """Relative to the largest output; None if it exceeds the tolerance."""
    failure: str | None


class PredictorFigures(Result):
    """How well sub-networks are predicted, by task."""

    samples: int
    held_out: int
    loss_tau: dict[str, float]
    loss_mae: dict[str, float]
    metric_tau: dict[str, float]
    metric_mae: dict[str, float]


class RunResults(Result):
    """Everything that is known about one SuperNet."""

    name: str
    kind: Literal["run", "model"]
    digest: str
    """SHA-256 of the checkpoint, or of the model's manifest."""
    epochs: int | None
    """Whole epochs that it was trained for; None of a published model."""
    tasks: tuple[Judged, ...]
    test_images: int
    """0 of a published model, of which nothing is measured."""
    full_gmacs: float
    smallest_gmacs: float
    predictor: PredictorFigures
    answers: Answers
    sweep: Sweep
    decoders: Decoders
    encoders: Encoders | None = None
    marginal: Marginal | None = None
    baselines: Baselines | None = None
    calibration: Calibration | None = None
    parity: Parity | None = None
