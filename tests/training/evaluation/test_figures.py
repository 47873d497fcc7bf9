"""Reports of few and of many tasks: every figure is drawn, and what is missing is said."""

from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from tests.training.evaluation.made import many_tasks, results
from training.evaluation import canvas
from training.evaluation.overview import write_overview
from training.evaluation.report import Report, report_of

FIGURES = {
    *("hypervolume", "gains", "budget-sweep", "search", "preference", "marginal"),
    *("decoder-widths", "predictor", "calibration"),
}


@pytest.fixture(scope="module")
def few() -> Report:
    return report_of(results())


@pytest.fixture(scope="module")
def many() -> Report:
    return report_of(results(many_tasks()))


def assert_readable(path: Path) -> None:
    """Small enough for a page, large enough to be read at all."""
    with Image.open(path) as image:
        assert 500 <= image.width <= 2000, path
        assert 300 <= image.height <= 2000, path


def test_every_figure_is_shown(few: Report, many: Report) -> None:
    for report in (few, many):
        assert set(report.figures) == FIGURES
        assert all(f"](figures/{name}.png)" in report.markdown for name in FIGURES)


@pytest.mark.parametrize("name", ["decoder-widths", "preference"])
def test_few_tasks_fit_a_figure(name: str, few: Report, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    canvas.save(few.figures[name], tmp_path / "figure.png")
    assert_readable(tmp_path / "figure.png")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["decoder-widths", "marginal", "gains"])
def test_many_tasks_fit_a_figure(name: str, many: Report, tmp_path: Path) -> None:
    canvas.save(many.figures[name], tmp_path / "figure.png")
    assert_readable(tmp_path / "figure.png")


def test_equal_results_give_equal_files(few: Report, tmp_path: Path) -> None:
    again = report_of(results())
    assert few.markdown == again.markdown
    assert [t.csv() for t in few.tables] == [t.csv() for t in again.tables]
    for name, report in (("a", few), ("b", again)):
        canvas.save(report.figures["hypervolume"], tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_missing_baselines_are_named_with_their_commands() -> None:
    report = report_of(results(static=None, single=None, without_distillation=None))
    text = report.markdown
    assert "**Missing baselines: 7.**" in text
    for variant in ("static", "single:depth", "no-distillation"):
        assert f"slimdial-train train made --variant {variant} --data DIR" in text
    assert "Not compared: there is no run without distillation." in text
    assert "gains" not in report.figures


def test_many_missing_networks_are_one_loop() -> None:
    tasks = many_tasks()
    text = report_of(results(tasks, single=None)).markdown
    names = " ".join(t.name for t in tasks)
    loop = f"for task in {names}; do\n  slimdial-train train made --variant single:$task --data DIR"
    assert loop in text
    assert "--variant static" not in text


def test_a_difference_from_pytorch_is_not_hidden() -> None:
    made = results()
    assert made.parity is not None
    wrong = made.parity.model_copy(update={"largest_error": None, "failure": "task 'x' differs"})
    text = report_of(made.model_copy(update={"parity": wrong})).markdown
    assert "**Differs from PyTorch:** task 'x' differs" in text


def test_several_seeds_are_summed_up(tmp_path: Path) -> None:
    runs = [results(evolution=loss, name=f"made-{loss}") for loss in (0.30, 0.32)]
    text = write_overview(runs, tmp_path).read_text()
    assert "means over 2 runs" in text
    for run in runs:
        assert f"[{run.name}]({run.name}/report.md)" in text
    ratio = (2.68 / 2.7) ** 5
    mean, spread = (1 + ratio) / 2, (1 - ratio) / 2**0.5
    assert f"| {mean:.4g} | {spread:.4g} | missed |" in text


def test_one_run_has_no_spread(tmp_path: Path) -> None:
    text = write_overview([results()], tmp_path).read_text()
    assert "one run, so without a spread" in text
    assert {p.name for p in tmp_path.iterdir()} == {
        *("report.md", "overview.json", "numbers.csv", "targets.csv"),
    }
