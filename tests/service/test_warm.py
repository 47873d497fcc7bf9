"""``slimdial warm`` against a service in a process of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_store.published import ModelStore
from service.cli import app
from service.warming import even_budgets, grid, usual_preferences
from tests.service.process import serving


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["warm", *arguments])


def test_a_grid_is_built_once_and_found_again(models_root: Path, tmp_path: Path) -> None:
    with serving(["--models-root", str(models_root), "--device", "cpu"], tmp_path) as process:
        asked = ["--url", process.url, "--steps", "2", "--tasks", "depth,edges", "--json"]
        first = json.loads(run("tiny", *asked).stdout)
        # The smallest and the largest, for both tasks alike and for each of the two.
        assert first["dials"] == 2 * 3
        assert first["built"] + first["hits"] == 6
        model = ModelStore(models_root).open("tiny")
        cost = model.cost.for_tasks(("depth", "edges"))
        ends = [cost.of(a) / 1e9 for a in (model.space.smallest(), model.space.largest())]
        assert {r["dial"]["budget"]["gmacs"] for r in first["results"]} == set(ends)
        assert first["built"] == first["subnets"] >= 2
        again = json.loads(run("tiny", *asked).stdout)
        assert (again["built"], again["hits"]) == (0, 6)

        chosen = ["-b", "fraction=1", "-b", "parameters=1", "-p", "depth=1,edges=0.5"]
        text = run("--url", process.url, *chosen)
        assert text.exit_code == 0, text.output
        assert "2 dials" in text.stdout
        assert "1 infeasible" in text.stdout

        for wrong, says in (
            (["nope"], "tiny"),
            (["-p", "sound=1"], "unknown tasks"),
            (["-b", "watts=1"], "watts"),
        ):
            refused = run(*wrong, "--url", process.url)
            assert refused.exit_code != 0
            assert says in refused.stderr
            assert "Traceback" not in refused.output


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ("5000000", "less than or equal to 1000000, found '5000000'"),
        ("parameters=0.5", "greater than 0, found 'parameters=0.5'"),
        ("fraction=2", "in (0, 1]"),
        ("gmacs=much", "NUMBER or KIND=NUMBER"),
    ],
)
def test_a_budget_that_no_service_takes_is_refused(budget: str, says: str) -> None:
    refused = run("-b", budget)
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "ftp://x",
        "nonsense",
        "http://",
        "http://localhost:abc",
        "http://localhost:99999",
        "http://[::1",
        "http://x y",
    ],
)
def test_a_service_that_is_not_there_is_explained(url: str) -> None:
    refused = run("--url", url)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
    assert url in refused.stderr


def test_budgets_lie_evenly_between_the_extremes() -> None:
    assert even_budgets(1.0, 3.0, 3) == [{"gmacs": 1.0}, {"gmacs": 2.0}, {"gmacs": 3.0}]
    assert even_budgets(1.0, 3.0, 1) == [{"gmacs": 3.0}]


def test_the_usual_preferences_are_all_alike_and_each_alone() -> None:
    assert usual_preferences(["a", "b"]) == [{"a": 1.0, "b": 1.0}, {"a": 1.0}, {"b": 1.0}]
    assert usual_preferences(["a"]) == [{"a": 1.0}]


def test_a_grid_has_every_budget_with_every_preference() -> None:
    dials = grid("m", [{"gmacs": 1.0}, {"fraction": 0.5}], [{"a": 1.0}, {}], None)
    assert [(d["budget"], d["preference"]) for d in dials] == [
        ({"gmacs": 1.0}, {"a": 1.0}),
        ({"gmacs": 1.0}, {}),
        ({"fraction": 0.5}, {"a": 1.0}),
        ({"fraction": 0.5}, {}),
    ]
    assert all("tasks" not in d for d in dials)
