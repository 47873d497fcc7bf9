"""What a training run leaves beside its checkpoints: configuration, environment and metrics."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from training.engine import Engine
from training.loop import EpochReport, StepReport
from training.recipe import Recipe

POSITION = frozenset({"step", "epoch", "epochs", "best"})
"""What stands in a line of metrics and is no curve."""


class RunFolder:
    """Writes ``config.json``, ``environment.json``, ``metrics.jsonl`` and TensorBoard events.

    Nothing is written before the first step: until then the run may still be refused, as one of
    another recipe. A resumed run takes up the metrics where its checkpoint was written: what an
    interrupted one reported after that is dropped, since it will be reported again.

    Args:
        folder: made if it is not there.
        recipe: the run.
        engine: how the machine is used.
        environment: versions and devices (:func:`training.machine.environment`).
    """

    def __init__(
        self, folder: Path, recipe: Recipe, engine: Engine, environment: Mapping[str, Any]
    ) -> None:
        self.folder, self.metrics = folder, folder / "metrics.jsonl"
        self.config = {"recipe": asdict(recipe), "engine": asdict(engine)}
        self.environment = environment
        self.events: SummaryWriter | None = None

    def step(self, report: StepReport, images_per_second: float) -> None:
        """Records a step."""
        done = report.epoch * report.steps + report.step + 1
        if self.events is None:
            self._begin(done)
            self.events = SummaryWriter(str(self.folder / "events"), purge_step=done)
        line = asdict(report.losses) | {
            "learning_rate": report.learning_rate,
            "images_per_second": round(images_per_second, 1),
        }
        self._write({"step": done, "epoch": report.epoch + 1} | line, done, "train")

    def epoch(self, report: EpochReport, steps: int) -> None:
        """Records an epoch of so many steps."""
        self._write({"step": report.epoch * steps} | asdict(report), report.epoch * steps, "epoch")

    def close(self) -> None:
        """Writes what is still in memory."""
        if self.events is not None:
            self.events.close()

    def _write(self, line: dict[str, Any], step: int, kind: str) -> None:
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in _scalars(line):
            if self.events is not None and name not in POSITION:
                self.events.add_scalar(f"{kind}/{name}", value, step)

    def _begin(self, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(self.config, indent=1, default=str))
        (self.folder / "environment.json").write_text(json.dumps(self.environment, indent=1))
        lines = self.metrics.read_text().splitlines() if self.metrics.exists() else []
        kept = [line for line in lines if _before(line, step)]
        self.metrics.write_text("".join(line + "\n" for line in kept))


def _before(line: str, step: int) -> bool:
    try:
        return bool(json.loads(line)["step"] < step)
    except ValueError:
        # Half a line: the process was killed as it wrote.
        return False


def _scalars(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in line.items():
        if isinstance(value, dict):
            found += [(f"{name}/{task}", loss) for task, loss in value.items()]
        elif value is not None:
            found.append((name, value))
    return found
