"""Prefix slices of the exported network against PyTorch's own."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from model_store.published import ModelStore
from training.data.load import DataSets
from training.evaluation.gauge import Show
from training.evaluation.results import Parity
from training.parity import TOLERANCE, ParityError, check_parity
from training.publish import calibration_images, compared_images, packed
from training.recipe import Recipe
from training.supernet import SuperNet

CALIBRATION_IMAGES = 64


def checked(
    recipe: Recipe,
    network: SuperNet,
    tensors: Mapping[str, NDArray[np.float32]],
    sets: DataSets,
    checks: int,
    show: Show,
) -> Parity:
    """Publishes to a temporary store, as ``publish`` would, and compares what is cut from it.

    Args:
        recipe: what the network was trained by.
        network: the trained SuperNet, on the CPU.
        tensors: the predictor's.
        sets: the recipe's data.
        checks: sub-networks to compare, smallest and largest among them.
        show: shown the progress.
    """
    count = min(CALIBRATION_IMAGES, len(sets.train))
    images_NHWC = calibration_images(network, sets, "real", count, recipe.seed, show)
    divisor = recipe.network.divisor
    files, manifest = packed(recipe, network, tensors, sets, images_NHWC, "real", "1", divisor)
    with TemporaryDirectory() as folder:
        store = ModelStore(Path(folder))
        store.publish(recipe.name, "1", files, manifest)
        try:
            largest = check_parity(
                store.open(recipe.name),
                network,
                compared_images(sets).contiguous().numpy(),
                checks,
                recipe.seed,
                lambda done, total: show("comparing with PyTorch", done, total),
            )
        except ParityError as error:
            return Parity(
                checks=checks, tolerance=TOLERANCE, largest_error=None, failure=str(error)
            )
    return Parity(checks=checks, tolerance=TOLERANCE, largest_error=largest, failure=None)
