"""The tables of one run's report."""

import numpy as np

from training.evaluation.comparison import comparisons
from training.evaluation.control import budget_use, preference_correlation
from training.evaluation.gains import over_singles, over_static
from training.evaluation.results import Baseline, Baselines, Measured, RunResults
from training.evaluation.tables import Cell, Table, percent
from training.evaluation.volumes import static_volume, volumes


def hypervolume_table(results: RunResults) -> Table:
    """Tables 1 to 3 of the paper: hypervolume beside GMACs."""
    rows: list[list[Cell]] = [
        [v.algorithm, percent(v.share), v.gmacs, v.volume.losses, v.volume.errors, v.volume.beyond]
        for v in volumes(results)
    ]
    static = static_volume(results)
    largest = results.baselines.static.largest if results.baselines else None
    if static and largest:
        point = (static.losses, static.errors, static.beyond)
        rows.append(["MTL-Static", "", largest.gmacs, *point])
    columns = ["network", "budget", "mean GMACs", "HV of losses", "HV of errors", "beyond"]
    return Table.of("hypervolume", "Hypervolume over the sampled preferences", columns, rows)


def control_table(results: RunResults) -> Table:
    """What the answers cost."""
    columns = ["search", "budget", "over the budget", "mean use", "most", "of what is allowed"]
    rows: list[list[Cell]] = [
        [u.algorithm, percent(u.share), u.exceeded, u.mean, u.most, u.attained]
        for u in budget_use(results)
    ]
    return Table.of("control", "Cost over budget", columns, rows)


def comparison_table(results: RunResults) -> Table:
    """``ecmt`` against ``evolution``."""
    columns = [
        *("budget", "ecmt", "evolution", "change, %", "ecmt, relative", "evolution, relative"),
        *("better for", "worse for"),
    ]
    rows: list[list[Cell]] = [
        [
            *(percent(c.share), c.ecmt, c.evolution, c.change),
            *(c.ecmt_relative, c.evolution_relative, c.better, c.worse),
        ]
        for c in comparisons(results)
    ]
    title = "Measured loss weighted by preference, mean over the preferences"
    return Table.of("algorithms", title, columns, rows)


def preference_table(results: RunResults) -> Table:
    """Spearman's ρ by task, at each budget."""
    shares = list(dict.fromkeys(a.share for a in results.answers.answers))
    found = [
        preference_correlation(results.tasks, results.answers.of("evolution", s)) for s in shares
    ]
    columns = [
        "task",
        *(f"ρ {kind} at {percent(s)}" for s in shares for kind in ("metric", "loss")),
    ]
    rows: list[list[Cell]] = [
        [t.name, *(value for by_task in found for value in by_task[t.name])] for t in results.tasks
    ]
    means = np.mean([row[1:] for row in rows], axis=0)  # type: ignore[arg-type]
    rows.append(["mean", *(float(m) for m in means)])
    return Table.of("preference", "Spearman's ρ of preference and measured quality", columns, rows)


def predictor_table(results: RunResults) -> Table:
    """How well held-out sub-networks are predicted."""
    p = results.predictor
    quantities = (p.loss_tau, p.loss_mae, p.metric_tau, p.metric_mae)
    rows: list[list[Cell]] = [[t.name, *(q[t.name] for q in quantities)] for t in results.tasks]
    rows.append(["mean", *(float(np.mean(list(q.values()))) for q in quantities)])
    columns = ["task", "τ loss", "MAE loss", "τ metric", "MAE metric"]
    title = f"Predictor on {p.held_out} held-out sub-networks, of {p.samples + p.held_out}"
    return Table.of("predictor", title, columns, rows)


def baseline_table(results: RunResults, baselines: Baselines) -> Table:
    """Every task's metrics: the SuperNet's extremes, MTL-Static, single-task networks."""
    networks = (baselines.full, baselines.smallest, baselines.static.largest)
    singles = {t: b.largest for t, b in baselines.singles.items()}

    def metrics(network: Measured | None, task: str) -> list[float] | list[None]:
        further = baselines.full.quality.further.get(task, {})
        if network is None:
            return [None] * (1 + len(further))
        quality = network.quality
        return [quality.metrics[task], *(quality.further[task][name] for name in further)]

    rows: list[list[Cell]] = []
    for t in results.tasks:
        names = [t.metric.name, *baselines.full.quality.further.get(t.name, {})]
        by_network = [metrics(n, t.name) for n in (*networks, singles[t.name])]
        rows += [
            [f"{t.name} ({name})", *values]
            for name, *values in zip(names, *by_network, strict=True)
        ]
    trained = [m.gmacs for m in singles.values() if m is not None]
    total = sum(trained) if len(trained) == len(singles) else None
    rows.append(["GMACs", *(n.gmacs if n else None for n in networks), total])
    for name, gain in (("Δ-MTL, %", over_singles), ("gain over MTL-Static, %", over_static)):
        gained = [gain(results, n.quality.metrics) if n else None for n in networks]
        rows.append([name, *gained, None])
    columns = ["task", "full width", "smallest", "MTL-Static", "single-task"]
    return Table.of("baselines", "Metrics on the test split", columns, rows)


def distillation_table(results: RunResults, baselines: Baselines) -> Table:
    """The smallest sub-network with and without distillation (Table 4)."""
    smallest, apart = baselines.smallest, baselines.no_distillation
    without = apart.smallest if apart else None
    full = baselines.full.quality.metrics
    rows: list[list[Cell]] = []
    for t in results.tasks:
        ours = smallest.quality.metrics[t.name]
        theirs = None if without is None else without.quality.metrics[t.name]
        gain = None if theirs is None or theirs == 0.0 else t.gain(ours, theirs)
        rows.append([f"{t.name} ({t.metric.name})", full[t.name], theirs, ours, gain])
    columns = ["task", "full width", "smallest without", "smallest with", "gain, %"]
    return Table.of("distillation", "Distillation and the smallest sub-network", columns, rows)


def sweep_table(results: RunResults) -> Table:
    """Fig. 6 in numbers."""
    points = results.sweep.points
    rows: list[list[Cell]] = []
    for name, p in [
        *(("search", p) for p in points),
        *(("uniform widths", p) for p in results.sweep.uniform),
    ]:
        quality = p.measured or p.predicted
        metrics = [quality.metrics[t.name] for t in results.tasks]
        rows.append(
            [name, p.budget_gmacs, p.gmacs, over_singles(results, quality.metrics), *metrics]
        )
    columns = ["", "budget, GMACs", "GMACs", "Δ-MTL, %", *(t.name for t in results.tasks)]
    how = "measured" if points[0].measured else "predicted"
    return Table.of("sweep", f"Budget sweep for equal preferences, {how}", columns, rows)


def missing(baselines: Baselines) -> list[Baseline]:
    """The baselines that were not trained."""
    found = [baselines.static, *baselines.singles.values(), baselines.no_distillation]
    return [b for b in found if b is not None and b.run is None]
