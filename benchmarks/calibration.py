"""Quality against calibration: how many images, and what synthetic ones cost.

``python -m benchmarks.calibration RECIPE [--data DIR] [--runs DIR]``. Sub-networks over the budget
range are calibrated on more and more images, real and synthetic, and measured on the test split.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.output import show
from training.configs import recipes
from training.data.load import load
from training.evaluate import calibrated, evaluate
from training.evaluation.calibration import COUNTS, by_kind, spread
from training.evaluation.subject import judged
from training.loop import load_network
from training.publish import CalibrationKind, calibration_images
from training.ranks import Ranks
from training.state import check_trained_on


@dataclass(frozen=True)
class Row:
    """Mean quality over the sub-networks."""

    kind: CalibrationKind
    images: int
    quality: dict[str, float]
    """By kind of task, in the metric's unit, averaged over its tasks and the sub-networks."""
    by_width: dict[str, float]
    """The first kind's quality by sub-network."""


def main(
    recipe: Annotated[str, typer.Argument(help="caltech100 or rooms.")],
    data: Annotated[Path, typer.Option(help="The data set's folder.")] = Path("data"),
    runs: Annotated[Path, typer.Option(help="Where the checkpoints are.")] = Path("runs"),
    most: Annotated[int, typer.Option(help="Largest number of real images.")] = COUNTS[-1],
    synthetic: Annotated[
        int, typer.Option(help="Largest number of synthetic images, which take long to make.")
    ] = COUNTS[-1],
    test: Annotated[int, typer.Option(help="Test images to measure on.")] = 2000,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Print quality against number and kind of calibration images."""
    config = recipes()[recipe]()
    checkpoint = runs / config.name / "checkpoint.pt"
    network, sets = load_network(config, checkpoint), load(config, data)
    check_trained_on(sets.train, checkpoint, Ranks())
    batches = [
        sets.test.batch(torch.arange(i, min(i + 64, test, len(sets.test))))
        for i in range(0, min(test, len(sets.test)), 64)
    ]
    tasks, architectures = judged(config), spread(network.space)
    rows: list[Row] = []
    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("synthesising", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bars.update(bar, description=what, completed=done, total=total)

        kinds: tuple[tuple[CalibrationKind, int], ...] = (("real", most), ("synthetic", synthetic))
        for kind, limit in kinds:
            counts = [c for c in COUNTS if c <= limit]
            pixels = calibration_images(network, sets, kind, counts[-1], config.seed, progress)
            images_NCHW = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            for i, count in enumerate(counts):
                progress(f"measuring {kind}", i, len(counts))
                found = {
                    name: by_kind(
                        tasks,
                        evaluate(calibrated(network, a, images_NCHW[:count]), batches),
                    )
                    for name, a in architectures.items()
                }
                first = next(iter(next(iter(found.values()))))
                mean = {
                    m: float(np.mean([q[m] for q in found.values()]))
                    for m in next(iter(found.values()))
                }
                rows.append(Row(kind, count, mean, {n: q[first] for n, q in found.items()}))
    show(f"calibration of {recipe}", rows, file)


if __name__ == "__main__":
    typer.run(main)
