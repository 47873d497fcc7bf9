"""Running means of a step's losses over an epoch."""

from dataclasses import dataclass, field

from training.sandwich import StepLosses


@dataclass
class Averages:
    """Sums that an interrupted epoch is resumed with."""

    steps: int = 0
    largest: float = 0.0
    smallest: float = 0.0
    distillation: float = 0.0
    tasks: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Sum by task, and the steps in which it had ground truth."""

    def add(self, losses: StepLosses) -> None:
        """Counts one more step."""
        self.steps += 1
        self.largest += losses.largest
        self.smallest += losses.smallest
        self.distillation += losses.distillation
        for name, loss in losses.tasks.items():
            total, count = self.tasks.get(name, (0.0, 0))
            self.tasks[name] = (total + loss, count + 1)

    def mean(self) -> StepLosses:
        """The means so far; a task's over the steps in which it had ground truth."""
        return StepLosses(
            self.largest / self.steps,
            self.smallest / self.steps,
            self.distillation / self.steps,
            {name: total / count for name, (total, count) in self.tasks.items()},
        )
