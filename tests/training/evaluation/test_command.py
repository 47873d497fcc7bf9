"""``slimdial-train evaluate`` from checkpoints and data to a report."""

import json
import shutil
from pathlib import Path

import pytest

from model_store.published import default_root
from tests.training.evaluation.conftest import (
    IMAGES,
    PREFERENCES,
    Evaluated,
    evaluated_recipe,
    invoke,
    knowing,
)
from tests.training.evaluation.test_figures import assert_readable
from tests.training.torchrun import two_ranks
from training import checkpoint
from training.data.load import load
from training.evaluate import calibrated, evaluate
from training.evaluation.gauge import limited
from training.evaluation.results import RunResults
from training.evaluation.run import check_alike, evaluate_run
from training.evaluation.settings import Settings
from training.evaluation.subject import Run
from training.evaluation.targets import headline
from training.loop import load_network
from training.measure import calibration_batch
from training.ranks import Ranks
from training.supernet import cost_model
from training.variants import RunName, varied

TASKS = {"water-animals", "flowers"}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    knowing(monkeypatch)


def test_it_leaves_a_report_tables_and_figures(evaluated: Evaluated) -> None:
    own = evaluated.out / "tiny"
    assert evaluated.printed["report"] == str(evaluated.out / "report.md")
    text = (own / "report.md").read_text()
    for linked in (own / "figures").iterdir():
        assert str(linked.relative_to(own)) in text
        assert_readable(linked)
    assert f"measured on {IMAGES} test images" in text
    assert "Missing" not in text
    assert len(list((own / "figures").iterdir())) == 9


def test_answers_are_measured_and_within_their_budget(evaluated: Evaluated) -> None:
    answers = evaluated.results.answers.answers
    assert len(answers) == 2 * 2 * PREFERENCES
    for answer in answers:
        assert answer.gmacs <= answer.budget_gmacs
        assert answer.measured is not None
        assert set(answer.measured.metrics) == TASKS


def test_what_is_measured_is_the_calibrated_sub_network(evaluated: Evaluated) -> None:
    recipe = evaluated_recipe()
    network = load_network(recipe, evaluated.runs / "tiny" / "checkpoint.pt")
    sets = load(recipe, evaluated.data)
    images_NCHW = calibration_batch(recipe, sets.train)
    answer = evaluated.results.answers.answers[0]
    subnet = calibrated(network, network.space.from_channels(answer.channels), images_NCHW)
    expected = evaluate(subnet, limited(sets.test, IMAGES, 0))
    assert answer.measured is not None
    assert answer.measured.losses == pytest.approx(expected.losses, rel=1e-5)
    assert answer.measured.metrics == pytest.approx(expected.metrics)


def test_baselines_are_those_of_their_own_folders(evaluated: Evaluated) -> None:
    baselines = evaluated.results.baselines
    assert baselines is not None
    assert baselines.static.run == "tiny-static"
    assert baselines.no_distillation is not None
    assert baselines.no_distillation.run == "tiny-no-distillation"
    single = baselines.singles["flowers"]
    assert (single.run, single.options) == (
        "tiny-single-flowers",
        "tiny --variant single:flowers",
    )
    recipe = varied(evaluated_recipe(), "single:flowers")
    network = load_network(recipe, evaluated.runs / "tiny-single-flowers" / "checkpoint.pt")
    images_NCHW = calibration_batch(recipe, load(recipe, evaluated.data).train)
    test = limited(load(evaluated_recipe(), evaluated.data).test, IMAGES, 0)
    subnet = calibrated(network, network.space.largest(), images_NCHW)
    expected = evaluate(subnet, test)
    assert single.largest is not None
    # Images of other tasks are not even looked at; they would not count.
    assert single.largest.quality.metrics == pytest.approx(expected.metrics)
    assert single.largest.gmacs == cost_model(recipe.network).of(network.space.largest()) / 1e9


def test_onnx_slices_are_pytorchs(evaluated: Evaluated) -> None:
    parity = evaluated.results.parity
    assert parity is not None
    assert parity.largest_error is not None
    assert parity.largest_error <= parity.tolerance


def test_the_summary_is_printed_as_json(evaluated: Evaluated) -> None:
    numbers = {n: q.mean for n, q in headline([evaluated.results]).items()}
    printed = {n: q["mean"] for n, q in evaluated.printed["numbers"].items()}
    assert printed == pytest.approx(numbers)
    assert len(evaluated.printed["targets"]) == 8
    assert json.loads((evaluated.out / "overview.json").read_text()) == {
        k: v for k, v in evaluated.printed.items() if k != "report"
    }


def again(evaluated: Evaluated, out: Path) -> RunResults:
    """Evaluates the run once more, from what is left in the folder."""
    recipe = evaluated_recipe()
    return evaluate_run(
        Run(RunName("tiny"), evaluated.runs / "tiny", recipe, recipe),
        Settings(images=IMAGES, preferences=PREFERENCES),
        out,
        lambda made: load(made, evaluated.data),
        Ranks(),
        lambda *_: None,
    )


def test_a_repeated_evaluation_measures_nothing(evaluated: Evaluated, tmp_path: Path) -> None:
    shutil.copytree(evaluated.out, tmp_path / "out")
    memo = tmp_path / "out" / "tiny" / "measured.jsonl"
    before = memo.read_bytes()
    parts = {p.name: p.stat().st_mtime_ns for p in (memo.parent / "parts").iterdir()}
    assert again(evaluated, tmp_path / "out") == evaluated.results
    assert memo.read_bytes() == before
    assert {p.name: p.stat().st_mtime_ns for p in (memo.parent / "parts").iterdir()} == parts


def test_an_interrupted_evaluation_goes_on(evaluated: Evaluated, tmp_path: Path) -> None:
    """Killed as it wrote a line, with some parts finished: it ends in the same numbers."""
    shutil.copytree(evaluated.out, tmp_path / "out")
    own = tmp_path / "out" / "tiny"
    lines = (own / "measured.jsonl").read_bytes().splitlines(keepends=True)
    (own / "measured.jsonl").write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
    for name in ("calibration", "sweep", "decoders"):
        (own / "parts" / f"{name}.json").unlink()
    assert again(evaluated, tmp_path / "out") == evaluated.results
    found = (own / "measured.jsonl").read_bytes().splitlines(keepends=True)
    assert found[: len(lines) - 3] == lines[:-3]
    assert len(found) == len(lines)


def test_two_ranks_evaluate_what_the_first_alone_has(evaluated: Evaluated, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(evaluated.out, out)
    memo = out / "tiny" / "measured.jsonl"
    lines = memo.read_bytes().splitlines(keepends=True)
    memo.write_bytes(b"".join(lines[:-3]))
    for name in ("answers", "baselines", "calibration", "parity"):
        (out / "tiny" / "parts" / f"{name}.json").unlink()
    folders = [evaluated.runs / "tiny", evaluated.data, evaluated.runs, out]
    two_ranks("tests.training.evaluation.two_ranks", *folders)
    found = RunResults.model_validate_json((out / "tiny" / "results.json").read_bytes())
    assert (found.digest, found.decoders) == (evaluated.results.digest, evaluated.results.decoders)
    assert found.answers.answers == evaluated.results.answers.answers
    assert found.baselines is not None
    assert set(found.baselines.singles) == TASKS
    assert found.parity is not None
    assert len(memo.read_bytes().splitlines()) == len(lines)


def test_a_published_model_is_evaluated_without_a_checkpoint(tmp_path: Path) -> None:
    model = default_root() / "rooms"
    result = invoke("evaluate", model, "--out", tmp_path, "--preferences", 2, "--json")
    assert result.exit_code == 0, result.output
    verdicts = [t["verdict"] for t in json.loads(result.stdout)["targets"]]
    assert verdicts[:4] == ["open"] * 4
    text = (tmp_path / "rooms-1" / "report.md").read_text()
    assert "**nothing here is measured**" in text
    assert "Evaluate the run it was published from" in text
    assert {p.stem for p in (tmp_path / "rooms-1" / "figures").iterdir()} == {
        *("hypervolume", "budget-sweep", "decoder-widths", "predictor"),
    }


def test_seeds_that_were_trained_otherwise_are_not_averaged(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    shutil.copytree(evaluated.runs / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny-seed1").mkdir()
    check_alike([tmp_path / "tiny" / "checkpoint.pt"])
    state = checkpoint.load(tmp_path / "tiny" / "checkpoint.pt")
    for changed, alike in (({}, True), ({"epoch": 2}, False), ({"weights": "ab"}, False)):
        path = tmp_path / "tiny-seed1" / "checkpoint.pt"
        checkpoint.save(path, state | changed)
        both = [tmp_path / "tiny" / "checkpoint.pt", path]
        if alike:
            check_alike(both)
            continue
        with pytest.raises(ValueError, match=r"tiny \(1 epochs\), tiny-seed1 .* were not"):
            check_alike(both)


def test_a_run_without_a_predictor_is_refused_with_the_next_step(evaluated: Evaluated) -> None:
    """The recipe's other seed has none yet, so its name stands for one that is not ready."""
    out = evaluated.out.with_name("refused")
    result = evaluated.evaluate("tiny", "--out", out)
    assert (result.exit_code, out.exists()) == (1, False)
    assert "tiny-seed1/predictor.safetensors does not exist" in result.stderr.replace("\n", "")
    assert "slimdial-train predictor" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "is no run folder, recipe or model"),
        (("tiny-static",), "is a baseline"),
        (("tiny-seed1", "rooms"), "seeds of one recipe and variant, or one model"),
        (("tiny-seed1", "tiny-no-distillation"), "found tiny, tiny-no-distillation"),
        (("tiny-seed1", "--budget", "2"), "shares of the full GMACs"),
    ],
)
def test_impossible_wishes_are_refused(
    evaluated: Evaluated, arguments: tuple[str, ...], message: str
) -> None:
    result = evaluated.evaluate(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output


def test_a_network_trained_again_is_evaluated_again(evaluated: Evaluated, tmp_path: Path) -> None:
    """Its predictor is that of another network, so it is refused before anything is measured."""
    runs = tmp_path / "runs"
    shutil.copytree(evaluated.runs / "tiny", runs / "tiny")
    path = runs / "tiny" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path) | {"trained": "again"})
    result = evaluated.evaluate(runs / "tiny", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "has since been trained again" in result.stderr.replace("\n", " ")
