"""The recipe that dataset.yaml gives, and what is said of one that is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.data.own_files import DESCRIPTION, write_own
from training.cli import app
from training.data.load import load
from training.loop import train
from training.own import own
from training.recipe import EfficientNetLite0Config
from training.supernet import search_space

MANY = json.dumps([f"class {n}" for n in range(256)])


def described(folder: Path, text: str) -> Path:
    (folder / "dataset.yaml").write_text(text)
    return folder


def test_the_description_becomes_a_recipe(tmp_path: Path) -> None:
    recipe = own(described(tmp_path, DESCRIPTION))
    assert (recipe.name, recipe.layout) == ("kitchens", "own")
    assert (recipe.license, recipe.attribution) == ("CC0-1.0", "made up")
    assert recipe.training.epochs == 2
    assert (recipe.network.height, recipe.network.width) == (32, 64)
    found = {t.name: (t.kind, t.outputs, t.weight) for t in recipe.network.tasks}
    assert found == {
        "floor": ("segmentation", 2, 2.0),
        "depth": ("depth", 1, 1.0),
        "normals": ("normals", 3, 1.0),
        "edges": ("edges", 1, 1.0),
        "objects": ("saliency", 1, 1.0),
        "light": ("classification", 2, 1.0),
    }
    assert recipe.network.tasks[0].labels == ("other", "floor")
    assert search_space(recipe.network).tasks == tuple(found)


def test_classification_alone_needs_no_dense_heads(tmp_path: Path) -> None:
    text = "{name: a, height: 32, width: 32, tasks: {t: {kind: classification, classes: [x, y]}}}"
    assert own(described(tmp_path, text)).network.decoder is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("height: 32", "height: 30", "height: Input should be a multiple of 32"),
        ("name: kitchens", "name: ../kitchens", "name: String should match"),
        ("epochs", "epoch", "epoch: Extra inputs are not permitted"),
        ("kind: depth", "kind: distance", "tasks.depth.kind: Input should be"),
        ("classes: [other, floor]", "classes: [floor]", "needs two classes or more"),
        ("classes: [other, floor]", "classes: [floor, floor]", "each named once"),
        ("kind: edges", "kind: edges, classes: [a, b]", "edges has no classes"),
        ("objects:", "images:", "a task cannot be named 'images'"),
        ("objects:", "type:", "a task cannot be named 'type'"),
        ("objects:", "training:", "a task cannot be named 'training'"),
        ("classes: [other, floor]", f"classes: {MANY}", "at most 255 classes"),
        ("tasks:", "tasks: [", "cannot be read"),
        (DESCRIPTION, "", "the file: "),
    ],
)
def test_a_wrong_description_is_answered_with_file_and_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=r"dataset\.yaml") as caught:
        own(described(tmp_path, DESCRIPTION.replace(old, new)))
    assert message in str(caught.value)
    assert str(tmp_path / "dataset.yaml") in str(caught.value)


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "own", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "dataset.yaml does not exist" in result.stderr.replace("\n", "")


def test_it_can_be_described_before_there_are_data(tmp_path: Path) -> None:
    described(tmp_path, DESCRIPTION)
    arguments = ["describe", "own", "--data", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(result.stdout)["recipe"] == "kitchens"


def test_partly_labelled_data_can_be_trained_on(tmp_path: Path) -> None:
    write_own(tmp_path)
    recipe = own(tmp_path)
    recipe = replace(
        recipe,
        network=replace(recipe.network, encoder=EfficientNetLite0Config(imagenet=False)),
        training=replace(recipe.training, epochs=1),
    )
    losses: list[float] = []
    train(
        recipe,
        load(recipe, tmp_path).train,
        tmp_path / "run" / "checkpoint.pt",
        lambda report: losses.append(report.losses.largest),
    )
    assert len(losses) == 2
    assert all(0 < loss < float("inf") for loss in losses)
