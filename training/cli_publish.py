"""``slimdial-train publish``."""

import shlex
from pathlib import Path

from model_store.published import ModelStore, default_root
from training.cli_data import loaded, recipe_named
from training.console import progress, show_result
from training.fitted import load_fitted
from training.loop import load_network
from training.publish import CalibrationKind, calibration_images, check_publishable, publish
from training.ranks import Ranks
from training.state import check_trained_on
from training.variants import RunName, supernet


def run(
    recipe: str,
    data: Path,
    runs: Path,
    root: Path | None,
    version: str,
    calibration: CalibrationKind,
    images: int,
    rounding: int | None,
    variant: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Publishes the SuperNet and the predictor of a run folder.

    Raises:
        ValueError: no such recipe or variant, or no checkpoint or predictor that fit.
        ModelError: it is published already, or differs from PyTorch.
    """
    base = recipe_named(recipe, data)
    name = RunName(base.name, supernet(variant), seed)
    config, folder = name.applied(base), runs / name.folder
    store, divisor = ModelStore(root or default_root()), rounding or config.network.divisor
    network = load_network(config, folder / "checkpoint.pt")
    tensors, quality = load_fitted(folder)
    check_publishable(config, store, version, divisor)
    with progress() as show:
        sets = loaded(config, data, Ranks(), show)
        check_trained_on(sets.train, folder / "checkpoint.pt", Ranks())
        pixels = calibration_images(network, sets, calibration, images, config.seed, show)
        result = publish(
            config,
            network,
            tensors,
            quality,
            sets,
            pixels,
            calibration,
            store,
            version,
            divisor,
            show,
        )
    show_result(
        {"path": str(result.path), "parity": result.parity, "report": result.report},
        as_json,
        f"published: {result.path}\nlargest difference from PyTorch: {result.parity:.1e}\n"
        "next: slimdial serve" + (f" --models-root {shlex.quote(str(root))}" if root else ""),
    )
