"""The progress of a training run: loss per task, images a second, time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from training.loop import EpochReport, StepReport


class Bar:
    """Steps of the whole run, and under them the losses of the last one.

    Args:
        console: where it is drawn.
        epochs: of the run.
        batch_size: images in a step.
    """

    def __init__(self, console: Console, epochs: int, batch_size: int) -> None:
        self.console, self.epochs, self.batch_size = console, epochs, batch_size
        speed = TextColumn("{task.fields[speed]:.0f} images/s")
        self.steps = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            speed,
            TimeRemainingColumn(),
        )
        self.losses = Text()
        self.last = time.perf_counter()

    def step(self, report: StepReport) -> float:
        """Shows a step; returns the images a second since the last call."""
        now = time.perf_counter()
        speed = self.batch_size / (now - self.last)
        self.last = now
        done = report.epoch * report.steps + report.step
        if not self.steps.tasks:
            # Steps of an earlier, interrupted run say nothing about the speed of this one.
            self.steps.add_task("", total=self.epochs * report.steps, completed=done, speed=speed)
        (task,) = self.steps.tasks
        # The time of one step jumps about: a mean of about the last ten.
        shown = 0.9 * task.fields["speed"] + 0.1 * speed
        name = f"epoch {report.epoch + 1}/{self.epochs}"
        self.steps.update(task.id, description=name, completed=done + 1, speed=shown)
        self.losses.plain = by_task(report.losses.tasks)
        return speed

    def epoch(self, report: EpochReport) -> None:
        """Prints an epoch above the bar."""
        line = (
            f"epoch {report.epoch}/{report.epochs}  loss {report.largest:.3f} (largest) "
            f"{report.smallest:.3f} (smallest)  CI-KD {report.distillation:.4f}"
        )
        if report.validation is not None:
            mark = "  best so far" if report.best else ""
            line += f"\n  validation  {by_task(report.validation)}{mark}"
        self.console.print(line)
        # What comes between epochs is not part of a step.
        self.last = time.perf_counter()


def by_task(losses: dict[str, float]) -> str:
    """Losses in one line."""
    return "  ".join(f"{task} {loss:.3f}" for task, loss in losses.items())


@contextmanager
def training_bar(shown: bool, epochs: int, batch_size: int) -> Iterator[Bar]:
    """A bar on standard error, or one that is not shown."""
    console = Console(stderr=True, quiet=not shown)
    bar = Bar(console, epochs, batch_size)
    with Live(Group(bar.steps, bar.losses), console=console, refresh_per_second=4):
        yield bar
