"""The manifest of a published model: everything about it that is not a tensor.

A manifest may come from anywhere, so every field is bounded and every reference between fields is
checked here; whoever holds a :class:`Manifest` need not check again.
"""

import re
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic import model_validator as model_check

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.slicing import width
from model_store.subnet.space import Group, SearchSpace
from model_store.subnet.weights import Shape

SCHEMA_VERSION = 1
"""The only manifest schema that this release reads and writes."""

TaskKind = Literal["classification", "segmentation", "depth", "normals", "edges", "saliency"]

OUTPUT_CHANNELS: dict[TaskKind, int] = {"depth": 1, "normals": 3, "edges": 1, "saliency": 1}
"""Output channels of the kinds that have a fixed number of them; the others have one per class."""

COMPONENT = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""What a model's name and version look like: both are path components."""

CURRENT = "current"
"""The file beside a model's versions that names the one that is served."""

Component = Annotated[str, StringConstraints(pattern=COMPONENT)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}$")]
TensorName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
FileName = Annotated[
    str, StringConstraints(pattern=r"^(examples/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
]
Text = Annotated[str, StringConstraints(max_length=65_536)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1 << 31)]
Channels = Annotated[int, Field(ge=1, le=1 << 20)]
Byte = Annotated[int, Field(ge=0, le=255)]
DimSpec = Annotated[tuple[Identifier | Channels, ...], Field(max_length=256)]


class Spec(BaseModel):
    """A part of the manifest: immutable, nothing unknown in it, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Metric(Spec):
    """What a task's quality is measured in."""

    name: Text
    higher_is_better: bool
    unit: Text = ""


class Task(Spec):
    """One task, and the shape of its output."""

    name: TaskName
    kind: TaskKind
    classes: Annotated[int, Field(ge=1, le=65_536)]
    """Output channels: classes, 1 (depth, edges, saliency) or 3 (normals)."""
    labels: tuple[Text, ...] = ()
    """Names of the classes, in order; empty where there are none."""
    palette: tuple[tuple[Byte, Byte, Byte], ...] = ()
    """RGB colours of the classes, in order; empty where there are none."""
    metric: Metric

    @model_check(mode="after")
    def _check(self) -> Self:
        if self.name == "image":
            raise ValueError("a task cannot be named 'image', which is the network's input")
        expected = OUTPUT_CHANNELS.get(self.kind, self.classes)
        if self.classes != expected:
            raise ValueError(
                f"kind {self.kind!r} has {expected} output channels, not {self.classes}"
            )
        for field, values in (("labels", self.labels), ("palette", self.palette)):
            if values and len(values) != self.classes:
                raise ValueError(f"{field}: {self.classes} expected, found {len(values)}")
        return self


class InputSpec(Spec):
    """The image that the network reads."""

    height: Annotated[int, Field(ge=1, le=8192)]
    width: Annotated[int, Field(ge=1, le=8192)]
    channel_order: Literal["RGB"]
    mean: tuple[Real, Real, Real]
    """Mean of the pixels, which lie in [0, 1]. The graph normalises; this is information."""
    std: tuple[Real, Real, Real]

    @field_validator("std")
    @classmethod
    def _positive(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) <= 0:
            raise ValueError(f"standard deviations must be positive, found {std}")
        return std


class GroupSpec(Spec):
    """A group of the search space: see :class:`model_store.subnet.space.Group`."""

    name: Identifier
    ratios: Annotated[tuple[Real, ...], Field(min_length=1, max_length=256)]
    channels: Annotated[tuple[Channels, ...], Field(min_length=1, max_length=256)]
    task: TaskName | None = None
    within: Identifier | None = None

    @field_validator("ratios")
    @classmethod
    def _ascending(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if list(ratios) != sorted(set(ratios)) or ratios[0] <= 0 or ratios[-1] != 1.0:
            raise ValueError(f"width ratios must ascend within (0, 1] and end at 1, found {ratios}")
        return ratios


class CostTermSpec(Spec):
    """One layer's cost: see :class:`model_store.subnet.cost.CostTerm`."""

    positions: Count
    kernel: Count
    inputs: DimSpec
    outputs: DimSpec
    task: TaskName | None = None


class CalibrationSpec(Spec):
    """The images on which batch-norm statistics are recomputed for every sub-network."""

    kind: Literal["real", "synthetic"]
    images: Annotated[int, Field(ge=1, le=65_536)]


class Provenance(Spec):
    """Where the model comes from, and under which terms."""

    dataset: Text
    recipe: Text
    seed: int
    libraries: dict[Text, Text]
    created: Text
    """ISO 8601 date or date and time."""
    attribution: Text
    license: Text

    @field_validator("created")
    @classmethod
    def _iso(cls, created: str) -> str:
        datetime.fromisoformat(created)
        return created


class FileDigest(Spec):
    """What a file must be."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=1 << 40)]


class Manifest(Spec):
    """The manifest of one version of a published model."""

    schema_version: int
    name: Component
    version: Component
    method: Literal["ecmt"]
    divisor: Annotated[int, Field(ge=1, le=1024)]
    """Channel counts are multiples of this, or the full width."""
    provenance: Provenance
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=256)]
    input: InputSpec
    groups: Annotated[tuple[GroupSpec, ...], Field(min_length=1, max_length=4096)]
    slices: dict[TensorName, Annotated[tuple[DimSpec, ...], Field(max_length=8)]]
    """Initializer name to one Dim per dimension. Initializers not listed are kept whole."""
    cost: Annotated[tuple[CostTermSpec, ...], Field(max_length=65_536)]
    calibration: CalibrationSpec
    files: dict[FileName, FileDigest] = {}
    """Digests of every file but the manifest. Empty until the model is published."""

    @field_validator("schema_version")
    @classmethod
    def check_schema_version(cls, version: object) -> object:
        """Raises ValueError for a schema that this release does not read."""
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema version {SCHEMA_VERSION} expected, found {version!r}")
        return version

    @field_validator("version")
    @classmethod
    def _allowed(cls, version: str) -> str:
        return check_version(version)

    @field_validator("files")
    @classmethod
    def _others(cls, files: dict[str, FileDigest]) -> dict[str, FileDigest]:
        if "manifest.json" in files:
            raise ValueError("a manifest cannot state its own digest")
        return files

    @model_check(mode="after")
    def _check(self) -> Self:
        space = self.search_space()
        tasks = tuple(t.name for t in self.tasks)
        if space.tasks != tasks:
            raise ValueError(f"decoder groups are those of {space.tasks}, the tasks are {tasks}")
        for group in self.groups:
            if any(c % self.divisor and c != group.channels[-1] for c in group.channels):
                raise ValueError(f"group {group.name!r}: {group.channels} against {self.divisor=}")
        dims = [d for slices in self.slices.values() for d in slices]
        dims += [d for term in self.cost for d in (term.inputs, term.outputs)]
        named = {s for dim in dims for s in dim if isinstance(s, str)}
        if unknown := sorted(named - set(space.names)):
            raise ValueError(f"slices or cost terms name unknown groups {unknown[:5]}")
        if unknown := sorted({t.task for t in self.cost if t.task} - set(tasks)):
            raise ValueError(f"cost terms name unknown tasks {unknown[:5]}")
        # CostModel is exact (float64) below 2^53 only.
        if sum(_full_macs(term, space.full_channels) for term in self.cost) >= 1 << 53:
            raise ValueError("the cost at full width exceeds 2^53 multiply-accumulates")
        return self

    def search_space(self) -> SearchSpace:
        """The search space that the groups span."""
        return SearchSpace(
            tuple(Group(g.name, g.ratios, g.channels, g.task, g.within) for g in self.groups)
        )

    def cost_model(self) -> CostModel:
        """The closed-form cost of the sub-networks."""
        terms = [CostTerm(t.positions, t.kernel, t.inputs, t.outputs, t.task) for t in self.cost]
        return CostModel(self.search_space(), terms)

    def input_shape(self) -> Shape:
        """The shape of an image as the network reads it."""
        return (3, self.input.height, self.input.width)

    def output_shapes(self) -> dict[str, Shape]:
        """The shape of each task's output; maps are of any height and width."""
        return {
            t.name: (t.classes,) if t.kind == "classification" else (t.classes, None, None)
            for t in self.tasks
        }

    @cached_property
    def tasks_by_name(self) -> dict[str, Task]:
        """The tasks: looked up for every prediction."""
        return {t.name: t for t in self.tasks}

    def task(self, name: str) -> Task:
        """The task of this name. Raises KeyError for an unknown one."""
        return self.tasks_by_name[name]


def _full_macs(term: CostTermSpec, full: dict[str, int]) -> int:
    return term.positions * term.kernel * width(term.inputs, full) * width(term.outputs, full)


def check_component(what: str, value: str) -> str:
    """Returns a model's name or version unchanged.

    Raises:
        ValueError: it is not one path component of the allowed form.
    """
    if not re.fullmatch(COMPONENT, value):
        raise ValueError(f"{what} must match {COMPONENT}, found {value!r}")
    return value


def check_version(value: str) -> str:
    """Returns a version unchanged.

    Raises:
        ValueError: it is no path component, or ``current``, the file beside the versions that
            names the one that is served.
    """
    if value == CURRENT:
        raise ValueError(f"a version cannot be named {CURRENT!r}, which names the one served")
    return check_component("version", value)
