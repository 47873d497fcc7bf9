"""Bodies of requests and responses."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model_store.budget import Budget as Asked
from model_store.budget import BudgetKind
from model_store.manifest import InputSpec, Metric, Provenance, TaskKind
from model_store.request import Precision
from model_store.subnet.search import Algorithm
from model_store.subnetwork import Widths

Name = Annotated[str, Field(min_length=1, max_length=64)]
Preference = Annotated[float, Field(ge=0.0, le=1.0)]
# Bounded where it is read, so that nothing behind has to think of 1e308.
Gmacs = Annotated[float, Field(gt=0.0, le=1e6)]
Fraction = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(gt=0, le=1 << 50)]
Milliseconds = Annotated[float, Field(gt=0.0, le=1e6)]


WHOLE: tuple[BudgetKind, ...] = ("parameters", "size_bytes")
"""Kinds of budget that are whole numbers."""


class Body(BaseModel):
    """A request: nothing unknown in it, no NaN, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Budget(Body):
    """What a sub-network may cost, said in exactly one way."""

    gmacs: Gmacs | None = Field(
        None, description="1e9 multiply-accumulates at batch 1", examples=[0.03]
    )
    fraction: Fraction | None = Field(None, description="of the full network's GMACs")
    parameters: Count | None = Field(None, description="values in weights and biases")
    size_bytes: Count | None = Field(None, description="of the ONNX file")
    latency_ms: Milliseconds | None = Field(
        None, description="of a prediction, as the profile of the machine that serves predicts it"
    )

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        given = [name for name in Budget.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of {', '.join(Budget.model_fields)} is needed, found "
                f"{' and '.join(given) or 'none'}"
            )
        return self

    @staticmethod
    def of(budget: Asked) -> "Budget":
        """A budget in the words of a request."""
        value = int(budget.value) if budget.kind in WHOLE else budget.value
        return Budget.model_validate({budget.kind: value})

    def asked(self) -> Asked:
        """The one way in which it is said."""
        kind = next(k for k in get_args(BudgetKind) if getattr(self, k) is not None)
        return Asked(kind, float(getattr(self, kind)))


class Wish(Body):
    """A preference per task, and what else a sub-network is to be."""

    model: Name | None = Field(None, description="The default model if not given.")
    preference: dict[Name, Preference] = Field(
        default_factory=dict,
        max_length=256,
        description="Task to preference in [0, 1]; tasks not named have 0.",
    )
    tasks: list[Name] | None = Field(
        None, min_length=1, max_length=256, description="The tasks to keep; all if not given."
    )
    search: Algorithm = "evolution"
    precision: Precision = "fp32"


class Dial(Wish):
    """Which sub-network: a budget and a preference per task."""

    budget: Budget


class PredictQuery(Wish):
    """A prediction without its image: a known sub-network, or a dial."""

    subnet_id: Name | None = None
    budget: Budget | None = None
    task: Name | None = Field(None, description="The task to draw, with Accept: image/png.")
    adaptive: bool = Field(
        False,
        description="Under load the autopilot, where it is on, may answer with a smaller "
        "sub-network of the same preference. Only with a budget.",
    )

    @model_validator(mode="after")
    def _either(self) -> "PredictQuery":
        dialled = sorted(self.model_fields_set & {*Dial.model_fields, "adaptive"})
        if self.subnet_id is not None and dialled:
            raise ValueError(f"either subnet_id or {dialled}, not both")
        if self.subnet_id is None and self.budget is None:
            raise ValueError("either subnet_id or budget (with preference) is needed")
        return self

    def dial(self) -> Dial:
        """The dial; to be asked only where there is no ``subnet_id``."""
        return Dial.model_validate({name: getattr(self, name) for name in Dial.model_fields})


class PredictBody(PredictQuery):
    """A prediction with its image in base64, or of one of the model's examples."""

    image: str | None = Field(None, description="JPEG, PNG or WebP in base64.")
    example: Name | None = Field(
        None, description="Of GET /models/NAME/examples; what is predicted is measured."
    )

    @model_validator(mode="after")
    def _one_picture(self) -> "PredictBody":
        if (self.image is None) == (self.example is None):
            raise ValueError("exactly one of image and example is needed")
        return self


class Answer(BaseModel):
    """A response."""

    model_config = ConfigDict(frozen=True)


class SubnetAnswer(Answer):
    """A sub-network."""

    subnet_id: str
    model: str
    version: str
    tasks: tuple[str, ...]
    gmacs: float
    parameters: int
    size_bytes: int
    widths: Widths
    channels: dict[str, int]
    predicted: dict[str, dict[str, float | str]]
    sha256: str
    links: dict[str, str]


class DialledAnswer(SubnetAnswer):
    """A sub-network that answers a dial."""

    budget: dict[str, float]
    """As asked."""
    cost: dict[str, float]
    """In the same unit, at most the budget; that of ``latency_ms`` is predicted."""
    budget_gmacs: float | None
    """The budget in GMACs, where it is one of GMACs or a fraction of them."""
    cache: Literal["hit", "miss"]
    timings_ms: dict[str, float]


class PredictAnswer(Answer):
    """A prediction. What an output holds depends on its task's kind.

    ``level`` is there for adaptive requests: levels below what was asked, 0 is as asked.
    """

    subnet_id: str
    gmacs: float
    cache: Literal["hit", "miss"]
    level: int | None = None
    timings_ms: dict[str, float]
    outputs: dict[str, dict[str, Any]]
    measured: dict[str, dict[str, float | str]] | None = None
    """Of examples: task to the ``metric``'s name and its ``value`` for this picture, for the tasks
    whose ground truth is known."""


class ModelSummary(Answer):
    """A published model, in brief."""

    name: str
    version: str
    method: str
    default: bool
    tasks: tuple[str, ...]
    examples: int
    """Test pictures with ground truth that it comes with."""
    budget: dict[str, float]
    links: dict[str, str]


class ModelList(Answer):
    """All models served."""

    models: tuple[ModelSummary, ...]


class TaskAnswer(Answer):
    """A task of a model."""

    name: str
    kind: TaskKind
    classes: int
    labels: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    metric: Metric


class BudgetRange(Answer):
    """The budgets of one kind that make a difference, with all tasks kept."""

    min: float
    max: float


class GroupAnswer(Answer):
    """A group of channels that are cut together."""

    name: str
    task: str | None
    """The task whose decoder it is; None for the encoder's."""
    channels: tuple[int, ...]
    """The counts that can be chosen, ascending; the last is the full network's."""


class WidthChoices(Answer):
    """The width ratios that can be chosen."""

    encoder: dict[str, tuple[float, ...]]
    """By group."""
    decoders: dict[str, tuple[float, ...]]
    """By task."""


class ModelAnswer(Answer):
    """A published model."""

    name: str
    version: str
    method: str
    digest: str
    default: bool
    tasks: tuple[TaskAnswer, ...]
    input: InputSpec
    budget: dict[str, float]
    """``min_gmacs`` and ``max_gmacs`` with all tasks kept; more than the maximum buys nothing."""
    budgets: dict[BudgetKind, BudgetRange]
    """The same for every kind of budget; ``latency_ms`` where the machine that answers has a
    profile of the model."""
    groups: tuple[GroupAnswer, ...]
    """In the order of the network."""
    widths: WidthChoices
    provenance: Provenance
    report: dict[str, Any]
    links: dict[str, str]


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    request_id: str | None = None
    """That of the header ``X-Request-ID``, and of the log."""
