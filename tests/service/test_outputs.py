import io

import numpy as np
import pytest

from model_store.manifest import Metric, Task
from service.outputs import Output, as_npz


@pytest.mark.parametrize("name", ["depth", "file", "allow_pickle", "args", "a.b-c_D"])
def test_an_archive_has_whatever_name_a_task_has(name: str) -> None:
    task = Task(
        name=name,
        kind="segmentation",
        classes=2,
        metric=Metric(name="mIoU", higher_is_better=True),
    )
    values_HW = np.arange(6, dtype=np.uint16).reshape(2, 3)
    logits_CHW = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
    content = as_npz({name: Output(task, values_HW, logits_CHW)})
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert set(arrays) == {name, f"{name}.logits"}
        assert np.array_equal(arrays[name], values_HW)
        assert np.array_equal(arrays[f"{name}.logits"], logits_CHW)
