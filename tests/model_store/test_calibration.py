"""Calibration against the activations that torch sees."""

import numpy as np
import pytest
import torch

from model_store.calibration import as_input, calibrate
from model_store.published import PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.graph import Graph
from model_store.subnet.space import Architecture
from tests.tiny import tiny_images
from tests.tiny_torch import forward, observing, slice_by_hand


def some(model: PublishedModel) -> Architecture:
    return model.space.random(np.random.default_rng(5))


def subnet(model: PublishedModel, tasks: tuple[str, ...] | None = None) -> Graph:
    kept = model.space.tasks if tasks is None else tasks
    return cut(model.graph, model.space, model.manifest.slices, some(model), kept)


@pytest.mark.parametrize(
    ("images", "batch", "sizes"),
    [(16, 64, [16]), (16, 8, [8, 8]), (13, 5, [5, 4, 4]), (13, 4, [4, 3, 3, 3])],
)
def test_statistics_are_the_moments_of_all_activations_together(
    tiny: PublishedModel, images: int, batch: int, sizes: list[int]
) -> None:
    """Torch runs the batches; then each batch norm's inputs are laid side by side, in float64."""
    chosen = tiny_images(images, 3)
    # Batches that differ, so that most of the variance lies between them.
    chosen = np.sort(chosen, axis=0)
    weights = slice_by_hand(tiny.graph.weights, some(tiny).as_dict())
    seen: dict[str, list[torch.Tensor]] = {}
    for part in torch.split(torch.from_numpy(as_input(chosen)), sizes):
        forward(weights, part, observing(weights, seen))
    found = calibrate(subnet(tiny), chosen, threads=1, batch=batch)
    assert set(found) == set(seen)
    for name, activations in seen.items():
        together = torch.cat(activations).double()
        mean, var = found[name]
        expected = together.mean((0, 2, 3)).numpy()
        spread = together.var((0, 2, 3), correction=0).numpy()
        # Means lie around 0, so they are held against the standard deviation.
        assert np.all(np.abs(mean - expected) <= 1e-5 * np.sqrt(spread) + 1e-7)
        np.testing.assert_allclose(var, spread, rtol=1e-4)


def test_only_the_kept_tasks_are_calibrated(tiny: PublishedModel) -> None:
    found = calibrate(subnet(tiny, ("depth",)), tiny.calibration_NHWC, threads=1)
    decoders = {name.split(".")[0] for name in found} - {"stem", "block", "expand", "depthwise"}
    assert decoders == {"stage", "depth"}


def test_the_supernet_is_not_touched(tiny: PublishedModel) -> None:
    before = {name: w.copy() for name, w in tiny.graph.weights.items()}
    calibrate(subnet(tiny), tiny.calibration_NHWC, threads=1)
    for name, weight in tiny.graph.weights.items():
        np.testing.assert_array_equal(weight, before[name])


def test_no_images_are_refused(tiny: PublishedModel) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        calibrate(subnet(tiny), tiny.calibration_NHWC[:0], threads=1)


def test_a_network_without_batch_norm_needs_no_statistics(tiny: PublishedModel) -> None:
    graph = subnet(tiny)
    nothing = graph.keeping([])
    assert calibrate(nothing, tiny.calibration_NHWC, threads=1) == {}


def test_images_become_rgb_planes_in_0_to_1() -> None:
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[0, 0, 1] = (255, 51, 0)
    assert as_input(image)[0, :, 0, 1].tolist() == pytest.approx([1.0, 0.2, 0.0])
