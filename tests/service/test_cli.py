import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.providers import choose_device
from tests.tiny import publish_tiny

BUDGET = ["--budget", "0.005"]


@pytest.fixture
def root(models_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIMDIAL_MODELS_ROOT", str(models_root))
    return models_root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.usefixtures("root")
def test_models() -> None:
    table = run("models")
    assert table.exit_code == 0
    assert "tiny" in table.stdout
    (listed,) = json.loads(run("models", "--json").stdout)["models"]
    assert listed["name"] == "tiny"
    assert listed["budget"]["min_gmacs"] < listed["budget"]["max_gmacs"]


@pytest.mark.usefixtures("root")
def test_serve_refuses_to_start_without_the_gpu_that_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if choose_device("auto", 1).is_gpu:
        pytest.skip("CUDA works here")
    monkeypatch.setenv("SLIMDIAL_REQUIRE_GPU", "1")
    refused = run("serve", "--port", "0", "--data-dir", str(tmp_path))
    assert refused.exit_code == 1
    for advice in ("does not work", "nvidia-smi", "pip install", "SLIMDIAL_REQUIRE_GPU"):
        assert advice in refused.stderr
    assert "Traceback" not in refused.output
    contradiction = run("serve", "--device", "cpu", "--data-dir", str(tmp_path))
    assert contradiction.exit_code == 2
    assert "contradict" in contradiction.stderr


@pytest.mark.usefixtures("root")
def test_search() -> None:
    text = run("search", *BUDGET, "--preference", "depth=1.0", "-p", "semseg=0.2")
    assert text.exit_code == 0
    assert "GMACs" in text.stdout
    found = run("search", "tiny", *BUDGET, "-p", "depth=1", "--tasks", "depth,edges", "--json")
    answer = json.loads(found.stdout)
    assert answer["gmacs"] <= answer["budget_gmacs"] == 0.005
    assert answer["tasks"] == ["depth", "edges"]
    assert set(answer["predicted"]) == {"depth", "edges"}
    again = run("search", *BUDGET, "-p", "depth=1", "--tasks", "edges,depth", "--json")
    assert json.loads(again.stdout)["subnet_id"] == answer["subnet_id"]


@pytest.mark.usefixtures("root")
def test_extract(tmp_path: Path) -> None:
    file = tmp_path / "out.onnx"
    arguments = ["extract", *BUDGET, "--tasks", "depth", "-o", str(file), "--json"]
    answer = json.loads(run(*arguments).stdout)
    onnx.checker.check_model(file.read_bytes())
    assert answer["size_bytes"] == file.stat().st_size
    assert answer["file"] == str(file)

    file.write_text("precious")
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert file.read_text() == "precious"
    assert run(*arguments, "--force").exit_code == 0
    onnx.checker.check_model(file.read_bytes())
    assert [f.name for f in tmp_path.iterdir()] == ["out.onnx"]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["search"], 2, "--budget"),
        (["search", "--budget", "x"], 2, "--budget"),
        (["search", "--budget", "-1"], 2, "positive"),
        (["search", "--budget", "nan"], 2, "positive"),
        (["search", "nope", *BUDGET], 2, "tiny"),
        (["search", *BUDGET, "-p", "depth"], 2, "TASK=VALUE"),
        (["search", *BUDGET, "-p", "depth=x"], 2, "TASK=VALUE"),
        (["search", *BUDGET, "-p", "depth=2"], 2, "[0, 1]"),
        (["search", *BUDGET, "-p", "nope=1"], 2, "semseg"),
        (["search", *BUDGET, "--tasks", "nope"], 2, "semseg"),
        (["search", *BUDGET, "--algorithm", "magic"], 2, "evolution"),
        (["search", "--budget", "1e-9"], 1, "GMACs"),
        (["search", *BUDGET, "--models-root", "/nowhere"], 1, "--models-root"),
        (["models", "--models-root", "/nowhere"], 1, "--models-root"),
        (["extract", *BUDGET], 2, "output"),
        (["extract", *BUDGET, "-o", "/nowhere/x.onnx"], 1, "/nowhere"),
        (["serve", "--models-root", "/nowhere"], 1, "/nowhere"),
        (["serve", "--default-model", "nope"], 2, "nope"),
        (["serve", "--redis-url", "http://x"], 2, "redis"),
        (["serve", "--device", "tpu"], 2, "device"),
        (["serve", "--port", "70000"], 2, "port"),
        (["nope"], 2, "nope"),
    ],
)
def test_mistakes_are_explained_on_stderr(arguments: list[str], code: int, says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_damaged_model_names_the_file(tmp_path: Path) -> None:
    (publish_tiny(tmp_path) / "predictor.safetensors").write_bytes(b"")
    result = run("models", "--models-root", str(tmp_path))
    assert result.exit_code == 1
    assert "predictor.safetensors" in result.stderr


@pytest.mark.parametrize("command", [["models"], ["search", *BUDGET]])
def test_a_folder_that_no_model_can_have_is_named(tmp_path: Path, command: list[str]) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny").rename(tmp_path / "My Model")
    result = run(*command, "--models-root", str(tmp_path))
    assert result.exit_code == 1
    assert "My Model: " in result.stderr
    assert isinstance(result.exception, SystemExit)
