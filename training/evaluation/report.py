"""One run's report: Markdown, tables as CSV and JSON, figures as PNG."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.evaluation import canvas, figures, task_figures
from training.evaluation import report_tables as tables
from training.evaluation.gains import single_metrics
from training.evaluation.results import Baseline, RunResults
from training.evaluation.tables import Table
from training.hypervolume import loss_reference
from training.variants import SINGLE


class Report:
    """Text that grows, and the tables and figures that it shows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.tables: list[Table] = []
        self.figures: dict[str, Figure] = {}

    def say(self, *paragraphs: str) -> None:
        """Adds paragraphs."""
        self.text += paragraphs

    def table(self, table: Table, wide: bool = False) -> None:
        """Adds a table; a wide one is only linked to."""
        self.tables.append(table)
        link = f"[{table.title}](tables/{table.name}.csv)"
        self.say(link if wide else table.markdown())

    def figure(self, name: str, figure: Figure | None, caption: str) -> None:
        """Adds a figure, if there is one."""
        if figure is not None:
            self.figures[name] = figure
            self.say(f"![{caption}](figures/{name}.png)", f"*{caption}*")

    @property
    def markdown(self) -> str:
        """The text."""
        return "\n\n".join(self.text) + "\n"

    def write(self, folder: Path) -> None:
        """Writes ``report.md``, ``tables/`` as CSV and JSON, and ``figures/``, all made anew."""
        for part in ("tables", "figures"):
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).mkdir(parents=True)
        for table in self.tables:
            stem = folder / "tables" / table.name
            stem.with_suffix(".csv").write_text(table.csv())
            stem.with_suffix(".json").write_text(json.dumps(table.json(), indent=1))
        for name, figure in self.figures.items():
            canvas.save(figure, folder / "figures" / f"{name}.png")
        (folder / "report.md").write_text(self.markdown)


def report_of(results: RunResults) -> Report:
    """The report of a run or of a published model."""
    report = Report()
    report.say(f"# {results.name}", *_about(results))
    _volumes(report, results)
    _baselines(report, results)
    _budget(report, results)
    _control(report, results)
    _predictor(report, results)
    _calibration(report, results)
    return report


def _about(results: RunResults) -> list[str]:
    gmacs = f"{results.smallest_gmacs:.4g} to {results.full_gmacs:.4g}"
    network = f"{gmacs} GMACs, {len(results.tasks)} tasks."
    if results.kind == "model":
        return [
            f"A published model. {network}",
            "It comes without a checkpoint, so **nothing here is measured**: qualities are those "
            "that its accuracy predictor expects. Left out, since they need the checkpoint and "
            "the data set: baselines and Δ-MTL, CI-KD, the search against random encoders, "
            "marginal evaluation, preference against measured quality, calibration, and the "
            "comparison with PyTorch. Evaluate the run it was published from for these.",
        ]
    return [
        f"{network} Sub-networks are extracted, calibrated on training images and measured on "
        f"{results.test_images} test images, in float32.",
        f"Epochs of training: {results.epochs}. Checkpoint SHA-256: `{results.digest}`.",
    ]


def _volumes(report: Report, results: RunResults) -> None:
    count = len({json.dumps(a.preference) for a in results.answers.answers})
    reference = loss_reference(len(results.tasks))
    how = "measured" if results.kind == "run" else "predicted"
    report.say(
        "## Hypervolume",
        f"Over {count} sampled preferences, {how}. Reference point {reference:g} for every loss, "
        "1 for every error (1 - top-1, IoU or F1; relative depth error; angle over 90 degrees). "
        "*Beyond* counts networks with a loss beyond the reference point, which dominate nothing.",
    )
    report.table(tables.hypervolume_table(results))
    report.figure("hypervolume", figures.hypervolumes(results), f"Hypervolume, {how}")


def _baselines(report: Report, results: RunResults) -> None:
    baselines = results.baselines
    if baselines is None:
        return
    report.say("## Baselines")
    runs = [b.run for b in (baselines.static, *baselines.singles.values()) if b.run]
    if runs:
        named = ", ".join(f"`{r}`" for r in runs)
        report.say(f"From the run folders {named}, trained for as many epochs.")
    absent = tables.missing(baselines)
    if absent:
        commands = "\n".join(_commands(absent))
        report.say(
            f"**Missing baselines: {len(absent)}.** What depends on them is a dash below. They are "
            f"made by\n\n```sh\n{commands}\n```"
        )
    report.table(tables.baseline_table(results, baselines))
    singles, static = single_metrics(results), baselines.static.largest
    base = singles or (static.quality.metrics if static else None)
    if base and all(base.values()):
        name = "single-task networks" if singles else "MTL-Static"
        report.figure("gains", task_figures.gains(results, base, name), f"Gain over {name} by task")
    if baselines.no_distillation is None:
        return
    report.say("## Distillation (the paper's Table 4)")
    if baselines.no_distillation.run is None:
        report.say("Not compared: there is no run without distillation.")
    else:
        report.say(f"Against the run `{baselines.no_distillation.run}`.")
        report.table(tables.distillation_table(results, baselines))


def _commands(absent: Sequence[Baseline]) -> list[str]:
    """What makes these baselines: many single-task networks in one loop."""
    singles = [b for b in absent if b.variant.startswith(SINGLE)]
    if len(singles) <= canvas.MANY:
        return [f"slimdial-train train {b.options} --data DIR" for b in absent]
    tasks = " ".join(b.variant.removeprefix(SINGLE) for b in singles)
    options = singles[0].options.replace(singles[0].variant, f"{SINGLE}$task")
    others = [b for b in absent if b not in singles]
    return [
        *_commands(others),
        f"for task in {tasks}; do",
        f"  slimdial-train train {options} --data DIR",
        "done",
    ]


def _budget(report: Report, results: RunResults) -> None:
    report.say("## Quality against budget (Fig. 6)")
    caption = "One SuperNet at every budget, equal preferences"
    report.figure("budget-sweep", figures.budget_sweep(results), caption)
    report.table(tables.sweep_table(results), wide=len(results.tasks) > canvas.MANY)
    if results.encoders:
        report.say("## Search against random encoders (Fig. 5)")
        figure = figures.search_against_random(results, results.encoders)
        report.figure("search", figure, "Each dot is a random encoder that fills the same budget")
    if results.baselines:
        report.say("## `ecmt` against `evolution`")
        report.table(tables.comparison_table(results))
        report.say("*Relative*: each loss over that of the full network, whatever its scale.")


def _control(report: Report, results: RunResults) -> None:
    report.say(
        "## Control",
        "Cost of the answers over their budget. *Of what is allowed*: over the most that a "
        "sub-network can cost whose decoders are not wider than Eq. 4 makes them.",
    )
    report.table(tables.control_table(results))
    if results.kind == "run":
        report.table(tables.preference_table(results))
        caption = "Measured quality of every answer against the task's preference"
        report.figure("preference", task_figures.preference_scatter(results), caption)
    if results.marginal:
        report.say("## Marginal evaluation (Fig. 7)")
        figure = task_figures.marginal_curves(results, results.marginal)
        caption = "A task's quality against its preference, over random preferences of the others"
        report.figure("marginal", figure, caption)
    report.say("## Decoder widths for preferences (Fig. 8)")
    figure = task_figures.decoder_widths(results, results.decoders)
    caption = "Preferences, and the decoders that they give"
    if any(t.kind == "classification" for t in results.tasks):
        caption += "; on the right, a linear head's share of the features that its encoder gives"
    report.figure("decoder-widths", figure, caption)


def _predictor(report: Report, results: RunResults) -> None:
    report.say("## Accuracy predictor")
    report.table(tables.predictor_table(results))
    report.figure("predictor", task_figures.predictor_taus(results), "Kendall's τ by task")


def _calibration(report: Report, results: RunResults) -> None:
    if results.calibration:
        report.say("## Calibration")
        figure = figures.calibration_curves(results, results.calibration)
        report.figure("calibration", figure, "Quality against the number of calibration images")
    if results.parity:
        parity = results.parity
        compared = f"{parity.checks} sub-networks cut from the exported ONNX file"
        report.say(
            f"**Differs from PyTorch:** {parity.failure}"
            if parity.largest_error is None
            else f"{compared} differ from PyTorch's own slices by at most "
            f"{parity.largest_error:.1e} of the largest output value "
            f"(allowed: {parity.tolerance:.0e})."
        )
