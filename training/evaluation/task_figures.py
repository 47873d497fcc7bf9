"""The figures of a report that show every task: Fig. 7 and 8, control, predictor, gains."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation import canvas
from training.evaluation.canvas import BLUE, GREEN, GREY, MANY, ORANGE
from training.evaluation.control import preference_correlation
from training.evaluation.judged import Judged
from training.evaluation.results import Baselines, Decoders, Marginal, RunResults
from training.evaluation.tables import percent


def small_multiples(tasks: int) -> tuple[Figure, list[Axes]]:
    """A small panel for every task."""
    many = tasks > MANY
    return canvas.grid(tasks, *((2.5, 1.9) if many else (3.3, 2.7)))


def _titled(axes: Axes, task: Judged, more: str = "") -> None:
    name = task.name if len(task.name) <= 26 else f"{task.name[:25]}…"
    axes.set_title(f"{name}{more}", fontsize=8)
    axes.set_ylabel(canvas.label(task), fontsize=7)
    axes.tick_params(labelsize=7)


def marginal_curves(results: RunResults, marginal: Marginal) -> Figure:
    """A task's metric against its own preference, beside two encoders (Fig. 7)."""
    figure, cells = small_multiples(len(results.tasks))
    for task, axes in zip(results.tasks, cells, strict=True):
        for curve in marginal.curves:
            if curve.task == task.name:
                colour = BLUE if curve.encoder == "largest" else ORANGE
                name = f"{curve.encoder} encoder"
                axes.plot(curve.preference, curve.metric, "o-", ms=3, color=colour, label=name)
        _titled(axes, task)
        canvas.tidy(axes, task)
        axes.set_xticks([0, 0.5, 1])
    figure.supxlabel("preference of the task", fontsize=9)
    canvas.shared_legend(figure, cells[0])
    return figure


def preference_scatter(results: RunResults) -> Figure:
    """Every answer's metric against the task's preference, with Spearman's ρ (Fig. 4)."""
    share = min(a.share for a in results.answers.answers)
    answers = results.answers.of("evolution", share)
    rho = preference_correlation(results.tasks, answers)
    figure, cells = small_multiples(len(results.tasks))
    for task, axes in zip(results.tasks, cells, strict=True):
        measured = [
            (a.preference[task.name], a.measured.metrics[task.name])
            for a in answers
            if a.measured is not None
        ]
        axes.plot(*zip(*measured, strict=True), "o", ms=4, color=BLUE, alpha=0.7)
        _titled(axes, task, f"  ρ {rho[task.name][0]:+.2f}")
        canvas.tidy(axes, task)
    figure.supxlabel(f"preference of the task; budget {percent(share)} of full GMACs", fontsize=9)
    return figure


def decoder_widths(results: RunResults, decoders: Decoders) -> Figure:
    """Normalised preferences, the widths of Eq. 4, and those that the search keeps (Fig. 8)."""
    names = [t.name for t in results.tasks]
    many = len(names) > MANY
    height = 0.3 * len(decoders.rows) + (2.2 if many else 1.6)
    figure = Figure(figsize=(13 if many else 10, height), layout="constrained")
    shown: list[tuple[str, list[Mapping[str, float]]]] = [
        ("preference, min-max normalised", [r.normalised for r in decoders.rows]),
        ("decoder width by Eq. 4", [r.eq4 for r in decoders.rows]),
        (f"search at {decoders.budget_gmacs:.3g} GMACs", [r.found for r in decoders.rows]),
    ]
    rows = ["equal", *(f"sample {i}" for i in range(1, len(decoders.rows)))]
    image = None
    cells = [figure.add_subplot(1, 3, i + 1) for i in range(3)]
    for axes, (title, values) in zip(cells, shown, strict=True):
        table = np.array([[v[n] for n in names] for v in values])
        image = axes.imshow(table, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        axes.set_title(title, fontsize=9)
        axes.set_xticks(range(len(names)), names, rotation=90 if many else 30, fontsize=7)
        if not many:
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
            for (i, j), value in np.ndenumerate(table):
                colour = "white" if value > 0.6 else "black"
                text = f"{value:.2f}"
                axes.text(j, i, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set_yticks(range(len(rows)), rows if axes is cells[0] else [""] * len(rows))
        axes.tick_params(labelsize=7, length=0)
        axes.spines[:].set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=cells, shrink=0.8)
        bar.ax.tick_params(labelsize=7)
    return figure


def _by_task(count: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.5, max(1.3 + 0.32 * count, 2.6)), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, axis="x", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    axes.set_ylim(count - 0.4, -0.6)
    return figure, axes


def predictor_taus(results: RunResults) -> Figure:
    """Kendall's τ between predicted and measured quality of held-out sub-networks."""
    names = [t.name for t in results.tasks]
    figure, axes = _by_task(len(names))
    rows = np.arange(len(names))
    for offset, tau, colour, kind in (
        (-0.19, results.predictor.loss_tau, BLUE, "loss"),
        (0.19, results.predictor.metric_tau, GREY, "metric"),
    ):
        axes.barh(rows + offset, [tau[n] for n in names], 0.36, color=colour, label=kind)
    axes.axvline(0.9, color=GREEN, ls="--", lw=1, label="target")
    axes.set_yticks(rows, names)
    low = min(0.0, *results.predictor.loss_tau.values(), *results.predictor.metric_tau.values())
    axes.set_xlim(low, 1.0)
    axes.set_xlabel("Kendall's τ on held-out sub-networks", fontsize=8)
    canvas.shared_legend(figure, axes)
    return figure


def gains(results: RunResults, base: Mapping[str, float], base_name: str) -> Figure | None:
    """Gain of the SuperNet's extremes over a baseline, by task; None without measurements."""
    baselines: Baselines | None = results.baselines
    if baselines is None:
        return None
    names = [t.name for t in results.tasks]
    figure, axes = _by_task(len(names))
    rows = np.arange(len(names))
    for offset, network, colour, kind in (
        (-0.19, baselines.full, BLUE, "full width"),
        (0.19, baselines.smallest, ORANGE, "smallest"),
    ):
        values = [t.gain(network.quality.metrics[t.name], base[t.name]) for t in results.tasks]
        axes.barh(rows + offset, values, 0.36, color=colour, label=kind)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(rows, names)
    axes.set_xlabel(f"gain over {base_name}, % (right is better)", fontsize=8)
    canvas.shared_legend(figure, axes)
    return figure
