"""Sub-networks against a network of the same architecture, written and sliced in torch."""

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import torch

from model_store.calibration import as_input, calibrate
from model_store.published import PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.normalisation import fold
from model_store.subnet.space import Architecture
from model_store.subnet.wire import serialise
from tests.tiny import tiny_images
from tests.tiny_torch import forward, slice_by_hand, using

WIDTHS = ["smallest", "largest", "1", "2", "3", "4", "5"]
"""Named architectures, and seeds of random ones."""

TOLERANCE = 1e-4
"""Relative to the largest value of an output."""


def architecture(model: PublishedModel, width: str) -> Architecture:
    if width == "smallest":
        return model.space.smallest()
    if width == "largest":
        return model.space.largest()
    return model.space.random(np.random.default_rng(int(width)))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_weight_is_the_one_sliced_by_hand(tiny: PublishedModel, width: str) -> None:
    chosen = architecture(tiny, width)
    found = cut(tiny.graph, tiny.space, tiny.manifest.slices, chosen, tiny.space.tasks)
    expected = slice_by_hand(tiny.graph.weights, chosen.as_dict())
    for name, weight in expected.items():
        np.testing.assert_array_equal(found.weights[name], weight.numpy())


@pytest.mark.parametrize("width", WIDTHS)
def test_a_folded_sub_network_computes_what_torch_computes(
    tiny: PublishedModel, width: str
) -> None:
    chosen = architecture(tiny, width)
    sliced = cut(tiny.graph, tiny.space, tiny.manifest.slices, chosen, tiny.space.tasks)
    statistics = calibrate(sliced, tiny.calibration_NHWC, threads=1)
    session = ort.InferenceSession(serialise(fold(sliced, statistics)))
    image_NCHW = as_input(tiny_images(3, 11))
    found = dict(zip(tiny.space.tasks, session.run(None, {"image": image_NCHW}), strict=True))
    weights = slice_by_hand(tiny.graph.weights, chosen.as_dict())
    expected = forward(weights, torch.from_numpy(image_NCHW), using(statistics, weights))
    for task, output in expected.items():
        scale = float(output.abs().max())
        np.testing.assert_allclose(found[task], output.numpy(), rtol=0, atol=TOLERANCE * scale)
