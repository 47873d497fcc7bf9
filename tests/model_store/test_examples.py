import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_store.examples import example_names, measurable_names, read_example
from model_store.published import ModelError, ModelStore
from tests.tiny import tiny_images, tiny_model_files
from tests.tiny_examples import example_files, publish_tiny_with_examples, tiny_truth


def test_examples_are_the_published_pictures_with_their_truth(tmp_path: Path) -> None:
    publish_tiny_with_examples(tmp_path)
    model = ModelStore(tmp_path).open("tiny")
    assert example_names(model) == measurable_names(model) == ("0", "1")
    for i, pixels_HWC in enumerate(tiny_images(2, seed=7)):
        example, truth = read_example(model, str(i)), tiny_truth(i)
        assert example.source == "test"
        with Image.open(io.BytesIO(example.picture)) as picture:
            assert np.array_equal(np.asarray(picture), pixels_HWC)
        assert set(example.truth) == set(truth)
        assert np.array_equal(example.truth["normals"], truth["normals"].transpose(1, 2, 0))
        for task in truth.keys() - {"normals"}:
            assert np.array_equal(example.truth[task], truth[task])


def test_a_picture_may_come_without_truth(tmp_path: Path) -> None:
    files, manifest = tiny_model_files()
    picture = {"examples/a.png": example_files()["examples/0.png"]}
    ModelStore(tmp_path).publish("tiny", "1", files | picture, manifest)
    model = ModelStore(tmp_path).open("tiny")
    assert (example_names(model), measurable_names(model)) == (("a",), ())
    assert read_example(model, "a").truth == {}


@pytest.mark.parametrize(("kind", "names"), [("synthetic", 6), ("real", 0)])
def test_without_test_pictures_synthetic_calibration_pictures_are_shown_and_never_real_ones(
    tmp_path: Path, kind: str, names: int
) -> None:
    files, manifest = tiny_model_files()
    calibration = manifest.calibration.model_copy(update={"kind": kind})
    manifest = manifest.model_copy(update={"calibration": calibration})
    ModelStore(tmp_path).publish("tiny", "1", files, manifest)
    model = ModelStore(tmp_path).open("tiny")
    assert len(example_names(model)) == names
    for i, name in enumerate(example_names(model)):
        example = read_example(model, name)
        assert (example.source, example.truth) == ("calibration", {})
        with Image.open(io.BytesIO(example.picture)) as picture:
            assert np.array_equal(np.asarray(picture), model.calibration_NHWC[i])


def test_an_unknown_example_is_a_key_error(tmp_path: Path) -> None:
    publish_tiny_with_examples(tmp_path)
    for name in ("2", "../manifest", "0.npz", ""):
        with pytest.raises(KeyError):
            read_example(ModelStore(tmp_path).open("tiny"), name)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"depth": np.zeros((8, 8), np.float16)}, "float16 depth"),
        ({"depth": np.zeros((32, 32), np.float64)}, "float16 depth"),
        ({"walls": np.zeros((32, 32), np.uint8)}, "walls"),
        ({"semseg": np.array([{}])}, "uint8 semseg"),
    ],
)
def test_a_truth_of_another_shape_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], reason: str
) -> None:
    files, manifest = tiny_model_files()
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **arrays)
    odd = example_files() | {"examples/0.npz": content.getvalue()}
    ModelStore(tmp_path).publish("tiny", "1", files | odd, manifest)
    with pytest.raises(ModelError, match=reason):
        read_example(ModelStore(tmp_path).open("tiny"), "0")


def test_an_example_that_was_changed_after_it_was_opened_is_refused(tmp_path: Path) -> None:
    folder = publish_tiny_with_examples(tmp_path)
    model = ModelStore(tmp_path).open("tiny")
    (folder / "examples" / "1.png").write_bytes(b"other")
    with pytest.raises(ModelError, match="bytes"):
        read_example(model, "1")
