import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model_store.manifest import Metric, Task, TaskKind
from service.errors import NotAcceptableError
from service.outputs import Output
from service.pictures import draw, palette

METRIC = Metric(name="m", higher_is_better=True)


def output(kind: TaskKind, classes: int, values: object) -> Output:
    task = Task(name="t", kind=kind, classes=classes, metric=METRIC)
    return Output(task, np.asarray(values), np.zeros(1, np.float32))


def pixels(drawn: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(drawn)) as image:
        return np.asarray(image)


def test_near_is_bright() -> None:
    ramp = np.tile(np.linspace(1, 10, 50, dtype=np.float32), (5, 1))
    drawn = pixels(draw(output("depth", 1, ramp))).astype(int).sum(axis=-1)
    assert drawn[0, 0] > drawn[0, 25] > drawn[0, 49]


def test_a_flat_depth_is_drawn_without_dividing_by_nothing() -> None:
    drawn = pixels(draw(output("depth", 1, np.full((4, 4), 2, np.float32))))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1


def test_a_wall_that_faces_the_camera_is_light_blue() -> None:
    facing = np.zeros((2, 2, 3), np.float32)
    facing[..., 2] = -1  # towards the camera, which looks along +z
    assert pixels(draw(output("normals", 3, facing)))[0, 0].tolist() == [128, 128, 255]


def test_classes_without_a_palette_have_distinct_colours() -> None:
    assert len(set(palette(256))) == 256
    drawn = pixels(draw(output("segmentation", 9, np.arange(9, dtype=np.uint16)[None])))
    assert len(np.unique(drawn[0], axis=0)) == 9


def test_a_classification_is_no_picture() -> None:
    with pytest.raises(NotAcceptableError, match="classification"):
        draw(output("classification", 2, [0.5, 0.5]))
