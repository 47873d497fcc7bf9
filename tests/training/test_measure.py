"""What sub-networks are measured by while the SuperNet is trained."""

import pytest
import torch

from tests.training.tiny import Noise, classifying, dense, network_of, some
from training.evaluate import calibrated, evaluate
from training.measure import calibration_batch, measurer, validation_losses
from training.ranks import Ranks

RECIPE = classifying()
TRAIN, VALIDATION = Noise.of(RECIPE, 40), Noise.of(RECIPE, 70, seed=1)


def test_calibration_images_are_training_images_of_the_recipes_seed() -> None:
    images_NCHW = calibration_batch(RECIPE, TRAIN)
    assert images_NCHW.shape == (RECIPE.predictor.calibration_images, 3, 32, 32)
    assert torch.equal(images_NCHW, calibration_batch(RECIPE, TRAIN))
    known = {image.numpy().tobytes() for image in TRAIN.batch(torch.arange(40)).images_NCHW}
    assert {image.numpy().tobytes() for image in images_NCHW} < known


def test_a_subnetwork_is_calibrated_and_measured() -> None:
    network = network_of(RECIPE)
    architecture = some(network, 1)
    found = measurer(RECIPE, network, TRAIN, VALIDATION)(architecture)
    subnet = calibrated(network, architecture, calibration_batch(RECIPE, TRAIN))
    expected = evaluate(subnet, VALIDATION)
    assert found.losses == pytest.approx(expected.losses, rel=0.05)


def test_the_full_network_is_validated() -> None:
    """As it is evaluated: labels weigh the same in whatever batch they are."""
    network = network_of(RECIPE)
    found = validation_losses(RECIPE, network, TRAIN, VALIDATION, Ranks())
    expected = measurer(RECIPE, network, TRAIN, VALIDATION)(network.space.largest())
    assert found == pytest.approx(expected.losses, rel=1e-5)


def test_a_task_without_ground_truth_has_no_validation_loss() -> None:
    recipe = dense()
    network = network_of(recipe)
    validation = Noise.of(recipe, 4)
    validation.targets["depth"].zero_()
    found = validation_losses(recipe, network, Noise.of(recipe, 16), validation, Ranks())
    assert set(found) == {"semseg", "normals", "edges", "saliency"}
