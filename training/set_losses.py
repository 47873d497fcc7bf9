"""Measured losses of a whole set, added up batch by batch."""

from collections.abc import Sequence

from torch import Tensor

from training.global_batch import labelled
from training.ranks import Ranks
from training.tasks import Task, task_loss


class SetLosses:
    """Means over a set's labelled values, not over its images or batches.

    The loss of saliency alone depends on the batches: each is balanced by its own share of positive
    pixels.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tuple(tasks)
        self._sums = dict.fromkeys((t.name for t in tasks), 0.0)
        self._counts = dict.fromkeys(self._sums, 0.0)

    def add(self, task: Task, raw: Tensor, target: Tensor) -> bool:
        """Counts one task of one batch in; False if that has no ground truth."""
        loss = task_loss(task, raw, target)
        if loss is None:
            return False
        count = float(labelled(task, target).sum())
        self._sums[task.name] += float(loss) * count
        self._counts[task.name] += count
        return True

    def means(self, ranks: Ranks = Ranks()) -> dict[str, float]:  # noqa: B008 - frozen
        """By task, of those that have ground truth; over what all ranks have seen."""
        sums = ranks.sums([*self._sums.values(), *self._counts.values()])
        total, count = sums[: len(self.tasks)], sums[len(self.tasks) :]
        return {
            task.name: loss / seen
            for task, loss, seen in zip(self.tasks, total, count, strict=True)
            if seen
        }
