"""``slimdial-train predictor``."""

import json
from dataclasses import asdict
from pathlib import Path

import safetensors.numpy

from training import checkpoint
from training.cli_data import folders, loaded, recipe_named
from training.console import progress, show_result
from training.loop import load_network
from training.measure import measurer
from training.predictor import PredictorQuality, fit
from training.ranks import started
from training.recipe import PredictorConfig
from training.samples import collect
from training.state import check_trained_on
from training.variants import RunName, supernet

STRATIFIED = "samples.jsonl"
"""Measured sub-networks, stratified by cost."""
INDEPENDENT = "samples-paper.jsonl"
"""Those of independent widths, which the paper draws."""


def run(
    recipe: str,
    data: Path,
    runs: Path,
    variant: str | None,
    seed: int,
    paper: bool,
    as_json: bool,
) -> None:
    """Measures sub-networks and leaves the predictor in the run folder.

    Raises:
        ValueError: no such recipe or variant, no checkpoint, or samples of another network.
    """
    with started() as ranks:
        base = recipe_named(recipe, data)
        name = RunName(base.name, supernet(variant), seed)
        config, folder = name.applied(base), runs / name.folder
        how = config.predictor
        how = PredictorConfig.as_published(how.calibration_images) if paper else how
        network = load_network(config, folder / "checkpoint.pt", ranks)
        digest = ranks.from_first(lambda: checkpoint.digest(folder / "checkpoint.pt"))
        tasks = [t.name for t in config.network.tasks]
        with progress(ranks.first) as show:
            sets = loaded(config, data, ranks, show)
            check_trained_on(sets.train, folder / "checkpoint.pt", ranks)
            measured = collect(
                network.space,
                how.samples,
                config.seed,
                folder / (INDEPENDENT if paper else STRATIFIED),
                digest,
                measurer(config, network, sets.train, sets.validation),
                lambda done, count: show("measuring sub-networks", done, count),
                ranks,
                stratified=not paper,
            )
            if not ranks.first:
                return
            tensors, quality = fit(network.space, tasks, measured, how, config.seed, show)
        safetensors.numpy.save_file(
            tensors, folder / "predictor.safetensors", metadata={"checkpoint": digest}
        )
        (folder / "predictor.json").write_text(json.dumps(asdict(quality), indent=1))
        after = f"next: slimdial-train publish {recipe}{name.flags} {folders(data, runs)}"
        show_result(asdict(quality), as_json, f"{_table(quality)}\n{after}")


def _table(quality: PredictorQuality) -> str:
    lines = [f"{'task':32} {'tau loss':>9} {'MAE loss':>9} {'tau metric':>10} {'MAE metric':>10}"]
    lines += [
        f"{t:32} {quality.loss_tau[t]:9.3f} {quality.loss_mae[t]:9.4f} "
        f"{quality.metric_tau[t]:10.3f} {quality.metric_mae[t]:10.4f}"
        for t in quality.loss_tau
    ]
    return "\n".join(lines)
