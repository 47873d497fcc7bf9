"""A model's examples: their pictures, their ground truth, and how well they were predicted."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
from numpy.typing import NDArray

from model_store.examples import Example, Source, example_names, read_example
from model_store.manifest import Task
from model_store.published import PublishedModel
from model_store.quality import ABSENT, METRICS, quality
from service.errors import NotFoundError
from service.outputs import Output, as_json, dumps
from service.schemas import Answer


class ExampleSummary(Answer):
    """An example, in brief."""

    name: str
    source: Source
    """``test``: a picture of the test split. ``calibration``: a synthetic calibration picture."""
    truth: tuple[str, ...]
    """The tasks whose ground truth is known."""
    links: dict[str, str]


class ExampleList(Answer):
    """The examples of a model; perhaps none."""

    examples: tuple[ExampleSummary, ...]


class ExampleAnswer(Answer):
    """An example with its ground truth, as ``/predict`` answers outputs.

    Classes of absent labels are 255, absent depths 0, absent normals zero vectors.
    """

    name: str
    source: Source
    truth: dict[str, dict[str, Any]]
    links: dict[str, str]


def example_of(model: PublishedModel, name: str) -> Example:
    """One example of a model.

    Raises:
        NotFoundError: there is none of this name.
    """
    try:
        return read_example(model, name)
    except KeyError as error:
        raise NotFoundError(
            f"unknown example {name[:64]!r}; {model.manifest.name!r} has "
            f"{list(example_names(model))}"
        ) from error


def listed(model: PublishedModel) -> ExampleList:
    """All examples of a model."""
    found = (read_example(model, name) for name in example_names(model))
    return ExampleList(
        examples=tuple(
            ExampleSummary(
                name=e.name, source=e.source, truth=tuple(e.truth), links=_links(model, e.name)
            )
            for e in found
        )
    )


def described(model: PublishedModel, name: str) -> ExampleAnswer:
    """One example with its ground truth.

    Raises:
        NotFoundError: there is none of this name.
    """
    example = example_of(model, name)
    tasks = {t.name: t for t in model.manifest.tasks}
    truth = {n: as_json(_output(tasks[n], values)) for n, values in example.truth.items()}
    return ExampleAnswer(
        name=example.name,
        source=example.source,
        truth=orjson.loads(dumps(truth)),
        links=_links(model, name),
    )


def measured(example: Example, outputs: Mapping[str, Output]) -> dict[str, dict[str, Any]]:
    """The metric of every predicted task whose ground truth the example has."""
    found = {
        name: (METRICS[output.task.kind], _quality(example, output))
        for name, output in outputs.items()
        if name in example.truth
    }
    return {n: {"metric": m, "value": v} for n, (m, v) in found.items() if v is not None}


def _quality(example: Example, output: Output) -> float | None:
    return quality(output.task.kind, output.values, example.truth[output.task.name])


def _output(task: Task, truth: NDArray[Any]) -> Output:
    """Ground truth in the form of a prediction."""
    values = truth
    if task.kind == "classification":
        values = (np.arange(task.classes) == truth).astype(np.float32)
    elif task.kind in ("edges", "saliency"):
        values = np.where(truth == ABSENT, 0, truth).astype(np.float32)
    return Output(task, values, np.empty(0, np.float32))


def _links(model: PublishedModel, name: str) -> dict[str, str]:
    self_link = f"/models/{model.manifest.name}/examples/{quote(name)}"
    return {"self": self_link, "picture": f"{self_link}/picture"}
