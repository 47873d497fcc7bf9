"""The recipe for data of one's own, from the ``dataset.yaml`` that describes them."""

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as model_check
from torch.nn import ModuleDict

from model_store.manifest import COMPONENT, OUTPUT_CHANNELS, TaskKind
from training.recipe import (
    DeepLabV3Config,
    EfficientNetLite0Config,
    NetworkConfig,
    PredictorConfig,
    Recipe,
    TrainingConfig,
)
from training.tasks import IGNORE, Task

FILE = "dataset.yaml"

Side = Annotated[int, Field(ge=32, le=2048, multiple_of=32)]
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class Spec(BaseModel):
    """A part of the description: nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSpec(Spec):
    """One task, whose targets are in the folder of its name."""

    kind: TaskKind
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their numbers, for those kinds that have classes."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Weight of the task's loss."""

    @model_check(mode="after")
    def _check(self) -> Self:
        classified = self.kind not in OUTPUT_CHANNELS
        if classified and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError(f"{self.kind} needs two classes or more, each named once")
        if len(self.classes) > IGNORE:
            raise ValueError(
                f"{self.kind} has at most {IGNORE} classes: number {IGNORE} says that there is no "
                "ground truth"
            )
        if not classified and self.classes:
            raise ValueError(f"{self.kind} has no classes")
        return self


class DataSetSpec(Spec):
    """What ``dataset.yaml`` says."""

    name: Annotated[str, StringConstraints(pattern=COMPONENT)]
    """Of the model; a path component."""
    height: Side
    width: Side
    """Size to which images are resized, in pixels."""
    epochs: Annotated[int, Field(ge=1)] = 50
    license: str = "unlicensed"
    """Of the published weights."""
    attribution: str = ""
    """Who made the data."""
    tasks: Annotated[dict[TaskName, TaskSpec], Field(min_length=1)]

    @model_check(mode="after")
    def _check(self) -> Self:
        # A task names a folder beside that of the images, and a module of the network.
        taken = [t for t in self.tasks if t in ("image", "images") or hasattr(ModuleDict(), t)]
        if taken:
            raise ValueError(f"a task cannot be named {taken[0]!r}: that name is taken")
        return self


def read_spec(folder: Path) -> DataSetSpec:
    """Reads the description of a data set.

    Raises:
        ValueError: it is missing or says something that it cannot; the error names file and field.
    """
    path = folder / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; docs/own-data.md says what is in it") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    try:
        return DataSetSpec.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in e['loc']) or 'the file'}: {e['msg']}"
            for e in error.errors()
        ]
        raise ValueError(f"{path}: {'; '.join(problems)}") from None


def own(folder: Path) -> Recipe:
    """The recipe for a folder: EfficientNet-Lite0, linear and DeepLabv3 heads.

    The encoder starts from ImageNet weights, which come as a package. Dense tasks get the head
    with a low-level skip, which draws finer than the published one.

    Raises:
        ValueError: ``dataset.yaml`` is missing or wrong.
    """
    spec = read_spec(folder)
    tasks = tuple(
        Task(name, t.kind, OUTPUT_CHANNELS.get(t.kind, len(t.classes)), t.weight, t.classes)
        for name, t in spec.tasks.items()
    )
    dense = any(task.kind != "classification" for task in tasks)
    return Recipe(
        name=spec.name,
        dataset=spec.name,
        attribution=spec.attribution or f"Trained on {spec.name}",
        license=spec.license,
        network=NetworkConfig(
            encoder=EfficientNetLite0Config(output_stride=16 if dense else 32),
            decoder=DeepLabV3Config(channels=64, rates=(2, 4, 6)) if dense else None,
            tasks=tasks,
            height=spec.height,
            width=spec.width,
            # What the encoder's weights were trained with: (x - 127) / 128.
            mean=(127 / 255, 127 / 255, 127 / 255),
            std=(128 / 255, 128 / 255, 128 / 255),
            ratios=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        ),
        training=TrainingConfig(
            epochs=spec.epochs,
            batch_size=8,
            learning_rate=1e-3,
            weight_decay=1e-4,
            distillation=0.1,
        ),
        predictor=PredictorConfig(samples=200, calibration_images=64),
        layout="own",
    )
