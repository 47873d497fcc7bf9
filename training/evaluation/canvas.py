"""What the figures share: size, colours, panels by task; without state outside the figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.judged import Judged

BLUE, ORANGE, GREEN, RED, GREY = "#2f6db3", "#dd7d2a", "#3a9153", "#c0392b", "#8a8f98"

MANY = 6
"""Most tasks that have a panel each; more are summed up by kind."""


@dataclass(frozen=True)
class Panel:
    """One panel: a task, or the mean of many tasks of a kind."""

    title: str
    tasks: tuple[Judged, ...]

    def mean(self, metrics: Mapping[str, float]) -> float:
        """The mean metric of the panel's tasks."""
        return float(np.mean([metrics[t.name] for t in self.tasks]))


def label(task: Judged) -> str:
    """A metric with its unit and the direction that is better."""
    unit = f" [{task.metric.unit}]" if task.metric.unit else ""
    return f"{task.metric.name}{unit} {'↑' if task.metric.higher_is_better else '↓'}"


def panels(tasks: Sequence[Judged]) -> list[Panel]:
    """A panel for each task, or where they are many, for each kind."""
    if len(tasks) <= MANY:
        return [Panel(f"{t.name}: {label(t)}", (t,)) for t in tasks]
    kinds: dict[str, list[Judged]] = {}
    for task in tasks:
        kinds.setdefault(task.kind, []).append(task)
    return [
        Panel(f"{kind}, mean of {len(same)} tasks: {label(same[0])}", tuple(same))
        for kind, same in kinds.items()
    ]


def grid(count: int, width: float = 3.4, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, up to five in a row; sizes in inches."""
    columns = min(count, 5 if count > MANY else 3)
    rows = -(-count // columns)
    # A single panel needs room for its legend.
    size = (max(width * columns, 5.0), max(height * rows, 3.2))
    figure = Figure(figsize=size, layout="constrained")
    cells = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    for axes in cells:
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, cells


def shared_legend(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, above them."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            names,
            loc="outside upper center",
            ncols=min(len(names), 4),
            fontsize=8,
            frameon=False,
        )


def by_panel(tasks: Sequence[Judged]) -> tuple[Figure, list[tuple[Panel, Axes]]]:
    """A figure with an axes for every panel, titled."""
    found = panels(tasks)
    figure, cells = grid(len(found))
    for panel, axes in zip(found, cells, strict=True):
        axes.set_title(panel.title, fontsize=9)
    return figure, list(zip(found, cells, strict=True))


def tidy(axes: Axes, task: Judged) -> None:
    """Keeps the axis of a share, which has few values and may have one, below 1."""
    if task.metric.higher_is_better:
        low, high = axes.get_ylim()
        axes.set_ylim(low, min(high, 1.0 + 0.04 * (1.0 - low)))


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG. The same figure gives the same file."""
    figure.savefig(path, dpi=130, metadata={"Software": None})
