"""The figures of a report about quality and budget: Fig. 5 and 6, hypervolume, calibration."""

import numpy as np
from matplotlib.figure import Figure

from training.evaluation import canvas
from training.evaluation.answers import ALGORITHMS
from training.evaluation.canvas import BLUE, GREEN, GREY, ORANGE, RED
from training.evaluation.gains import single_metrics
from training.evaluation.results import Calibration, Encoders, RunResults
from training.evaluation.tables import percent
from training.evaluation.volumes import static_volume, volumes


def budget_sweep(results: RunResults) -> Figure:
    """Quality against GMACs (Fig. 6), with the static networks that exist."""
    points = results.sweep.points
    measured = points[0].measured is not None
    gmacs, uniform = [p.gmacs for p in points], results.sweep.uniform
    how = "" if measured else ", predicted"
    singles = single_metrics(results)
    static = results.baselines.static.largest if results.baselines else None
    figure, cells = canvas.by_panel(results.tasks)
    for panel, axes in cells:
        metrics = [(p.measured or p.predicted).metrics for p in points]
        axes.plot(
            [p.gmacs for p in uniform],
            [panel.mean((p.measured or p.predicted).metrics) for p in uniform],
            "s-",
            color=ORANGE,
            ms=3,
            lw=1,
            label=f"uniform widths{how}",
        )
        means = [panel.mean(m) for m in metrics]
        axes.plot(gmacs, means, "o-", color=BLUE, ms=4, label=f"search, equal preferences{how}")
        if static:
            mean = panel.mean(static.quality.metrics)
            axes.plot(static.gmacs, mean, "*", color=RED, ms=11, label="MTL-Static")
        if singles:
            axes.axhline(
                panel.mean(singles), color=GREEN, ls="--", lw=1, label="single-task networks"
            )
        axes.set_xlabel("GMACs of the sub-network", fontsize=8)
    canvas.shared_legend(figure, cells[0][1])
    return figure


def search_against_random(results: RunResults, encoders: Encoders) -> Figure:
    """Both searches and random encoders for the same budgets, by what they cost (Fig. 5)."""
    figure, cells = canvas.by_panel(results.tasks)
    for panel, axes in cells:
        drawn = [
            np.array([[m.gmacs, panel.mean(m.quality.metrics)] for m in p.random])
            for p in encoders.points
        ]
        axes.plot(*np.concatenate(drawn).T, ".", color=GREY, ms=5, label="random encoder")
        means = [dots.mean(axis=0) for dots in drawn]
        axes.plot(*np.array(means).T, "--", color=GREY, label="random encoders, mean")
        for name, colour, marker in zip(ALGORITHMS, (ORANGE, BLUE), "so", strict=True):
            found = [p.found[name] for p in encoders.points]
            gmacs, values = [m.gmacs for m in found], [panel.mean(m.quality.metrics) for m in found]
            axes.plot(gmacs, values, f"{marker}-", color=colour, ms=4.5, label=name)
        axes.set_xlabel("GMACs of the sub-network", fontsize=8)
    canvas.shared_legend(figure, cells[0][1])
    return figure


def hypervolumes(results: RunResults) -> Figure:
    """Hypervolume of losses and of errors at each budget."""
    found, static = volumes(results), static_volume(results)
    shares = sorted({v.share for v in found})
    figure, cells = canvas.grid(2, width=3.6)
    for axes, space in zip(cells, ("losses", "errors"), strict=True):
        for offset, algorithm, colour in ((-0.19, "ecmt", ORANGE), (0.19, "evolution", BLUE)):
            values = [
                getattr(v.volume, space)
                for share in shares
                for v in found
                if (v.algorithm, v.share) == (algorithm, share)
            ]
            bars = axes.bar(
                np.arange(len(shares)) + offset, values, 0.36, color=colour, label=algorithm
            )
            axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=2)
        if static:
            value = getattr(static, space)
            axes.axhline(value, color=RED, ls="--", lw=1, label="MTL-Static")
        axes.set_xticks(range(len(shares)), [f"{percent(share)} of full GMACs" for share in shares])
        axes.set_title(f"hypervolume of {space} ↑", fontsize=9)
        axes.margins(y=0.15)
        axes.grid(visible=False, axis="x")
    canvas.shared_legend(figure, cells[0])
    return figure


def calibration_curves(results: RunResults, calibration: Calibration) -> Figure:
    """Quality against the number of calibration images."""
    by_metric = {t.metric.name: t for t in results.tasks}
    networks = list(dict.fromkeys(p.network for p in calibration.points))
    figure, cells = canvas.grid(len(by_metric))
    for axes, (metric, task) in zip(cells, by_metric.items(), strict=True):
        for network, colour in zip(networks, (ORANGE, GREEN, BLUE), strict=True):
            points = [p for p in calibration.points if p.network == network]
            axes.plot(
                [p.images for p in points],
                [p.metrics[metric] for p in points],
                "o-",
                ms=4,
                color=colour,
                label=network,
            )
        counts = sorted({p.images for p in calibration.points})
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(c) for c in counts])
        axes.set_title(f"{task.kind}: {canvas.label(task)}", fontsize=9)
        axes.set_xlabel("calibration images", fontsize=8)
    canvas.shared_legend(figure, cells[0])
    return figure
