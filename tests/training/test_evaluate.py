"""The quality of a sub-network, as a whole set and not its batches give it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.training.tiny import MAKERS, Noise, classifying, dense, images, network_of, some
from training.calibration import calibrate
from training.data.source import in_order
from training.evaluate import calibrated, evaluate, normalise
from training.layers import SlimmableBatchNorm2d
from training.metrics import to_target_size
from training.recipe import Recipe
from training.supernet import SuperNet
from training.tasks import IGNORE, activate

networks = pytest.mark.parametrize("make", MAKERS)


def statistics(subnet: SuperNet) -> dict[str, torch.Tensor]:
    return {n: p for n, p in subnet.state_dict().items() if "running" in n}


def test_images_are_normalised_by_channel() -> None:
    config = classifying().network
    found = normalise(config, images(2)).numpy()
    expected = images(2).numpy().copy()
    for channel, (mean, std) in enumerate(zip(config.mean, config.std, strict=True)):
        expected[:, channel] = (expected[:, channel] - mean) / std
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@networks
def test_calibration_images_are_dealt_evenly_to_the_batches(make: Callable[[], Recipe]) -> None:
    """As the service does it: 4 + 3 for 7 images in batches of 6, never 6 + 1."""
    network = network_of(make())
    architecture, pixels = some(network, 1), images(7)
    found = calibrated(network, architecture, pixels, batch_size=6)
    expected = network.extract(architecture)
    calibrate(expected, [normalise(network.config, p) for p in (pixels[:4], pixels[4:])])
    ours, theirs = statistics(found), statistics(expected)
    assert set(ours) == set(theirs) != set()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_calibrated_is_a_network_of_its_own() -> None:
    network = network_of(dense())
    found = calibrated(network, some(network, 1), images(8))
    assert not found.training
    norms = [m for m in network.modules() if isinstance(m, SlimmableBatchNorm2d)]
    assert all(norm.running_mean is None for norm in norms)


@networks
def test_metrics_do_not_depend_on_the_batches(make: Callable[[], Recipe]) -> None:
    recipe = make()
    network = network_of(recipe)
    subnet = calibrated(network, some(network, 1), images(16))
    source = Noise.of(recipe, 10)
    whole = evaluate(subnet, source)
    for found in (
        evaluate(subnet, source, batch_size=3),
        evaluate(subnet, list(in_order(source, 4))),
    ):
        assert found.metrics == pytest.approx(whole.metrics, rel=1e-3, abs=1e-3)
    assert set(whole.losses) == set(whole.metrics) == {t.name for t in recipe.network.tasks}


@torch.no_grad()
def test_losses_and_metrics_by_hand() -> None:
    """Every image counts for its own task, however the tasks fall into batches."""
    network = network_of(classifying())
    subnet = calibrated(network, some(network, 1), images(16))
    source = Noise.of(classifying(), 10)
    raw = subnet(
        normalise(network.config, source.batch(torch.arange(10)).images_NCHW),
        subnet.space.largest(),
    ).raw
    found = evaluate(subnet, source, batch_size=4)
    for task, logits in raw.items():
        mine = source.targets[task] != 255
        label = source.targets[task][mine]
        loss = F.cross_entropy(logits[mine], label)
        right = (logits[mine].argmax(dim=1) == label).float().mean()
        assert found.losses[task] == pytest.approx(float(loss), rel=1e-4)
        assert found.metrics[task] == pytest.approx(float(right))


def test_losses_of_partly_labelled_images_are_means_over_labels() -> None:
    """Not over batches or images, of which some have few labels; saliency balances each batch."""
    network = network_of(dense())
    subnet = calibrated(network, some(network, 1), images(16))
    source = Noise.of(dense(), 9)
    for image in range(9):
        source.targets["semseg"][image, : 3 * image] = 255
        source.targets["depth"][image, : 3 * image] = 0.0
        source.targets["normals"][image, :, : 3 * image] = 0.0
    whole, batched = evaluate(subnet, source, batch_size=9), evaluate(subnet, source, batch_size=2)
    for task in ("semseg", "depth", "normals"):
        assert batched.losses[task] == pytest.approx(whole.losses[task], rel=1e-4)


def test_what_nothing_is_known_of_is_not_measured() -> None:
    recipe = classifying()
    source = Noise.of(recipe, 12)
    source.targets["animals"].fill_(IGNORE)
    network = network_of(recipe)
    subnet = calibrated(network, network.space.smallest(), images(8))
    with pytest.raises(ValueError, match="none of 12 images has ground truth for animals"):
        evaluate(subnet, source)


def test_depth_and_normals_have_root_mean_square_errors_too() -> None:
    network, source = network_of(dense()), Noise.of(dense(), 6)
    subnet = calibrated(network, network.space.smallest(), images(8))
    found = evaluate(subnet, source)
    assert {task: set(others) for task, others in found.further.items()} == {
        "depth": {"rmse"},
        "normals": {"rmse_angle"},
    }
    x_NCHW = normalise(network.config, source.batch(torch.arange(6)).images_NCHW)
    with torch.no_grad():
        raw = subnet(x_NCHW, subnet.space.largest()).raw["depth"]
    (depth,) = (t for t in network.config.tasks if t.name == "depth")
    truth_NHW = source.targets["depth"]
    depth_NHW = to_target_size(activate(depth, raw), truth_NHW)[:, 0]
    by_hand = (depth_NHW - truth_NHW).square().mean().sqrt()
    assert found.further["depth"]["rmse"] == pytest.approx(float(by_hand), rel=1e-4)


def test_better_predictions_measure_better() -> None:
    """A head that knows the answer: its bias is the only class there is."""
    recipe = classifying()
    source = Noise.of(recipe, 12)
    source.targets["animals"].fill_(2)
    network = network_of(recipe)
    subnet = calibrated(network, network.space.smallest(), images(8))
    before = evaluate(subnet, source)
    with torch.no_grad():
        dict(subnet.named_parameters())["decoders.animals.linear.bias"][2] += 100.0
    after = evaluate(subnet, source)
    assert after.metrics["animals"] == 1.0
    assert after.losses["animals"] < 1e-3 < before.losses["animals"]
    assert after.metrics["flowers"] == before.metrics["flowers"]
