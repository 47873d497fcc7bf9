"""From networks to published models that the store opens and proves equal to PyTorch."""

import copy
import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from model_store.published import ModelError, ModelStore
from model_store.subnetwork import build
from tests.training.conftest import CALIBRATION_IMAGES, PREFERENCES, Called, Commanded, Made
from tests.training.tiny import Noise, network_of
from training import publish as publishing
from training.data.source import Subset
from training.evaluate import calibrated, evaluate
from training.manifest import manifest_of
from training.parity import TOLERANCE, ParityError, check_parity, choice_of, session_of
from training.publish import calibration_images, compared_images, packed, publish
from training.supernet import SuperNet, cost_model


@pytest.fixture(params=["commanded", "called"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def check_images(count: int = 4) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    return rng.random((count, 3, 32, 32), dtype=np.float32)


def test_the_store_opens_what_was_published(made: Made) -> None:
    assert made.store.names() == (made.recipe.name,)
    assert made.store.current(made.recipe.name) == "1"
    assert made.model.space == made.network.space
    assert made.model.cost.terms == cost_model(made.recipe.network).terms
    assert made.model.space.tasks == tuple(t.name for t in made.recipe.network.tasks)


def test_the_manifest_says_what_the_network_is(made: Made) -> None:
    manifest, config = made.model.manifest, made.recipe.network
    assert (manifest.name, manifest.version, manifest.method) == (made.recipe.name, "1", "ecmt")
    assert manifest.divisor == config.divisor
    assert (manifest.input.height, manifest.input.width) == (config.height, config.width)
    assert (manifest.input.mean, manifest.input.std) == (config.mean, config.std)
    assert [(t.name, t.kind, t.classes) for t in manifest.tasks] == [
        (t.name, t.kind, t.outputs) for t in config.tasks
    ]
    assert manifest.provenance.attribution == "nobody"
    assert manifest.provenance.recipe == repr(made.recipe)
    assert set(manifest.provenance.libraries) == {"torch", "onnx", "onnxscript", "numpy"}
    assert manifest.calibration.kind == "real"
    assert manifest.calibration.images == CALIBRATION_IMAGES == len(made.model.calibration_NHWC)


def test_class_names_come_from_the_data_or_from_the_recipe(
    commanded: Commanded, called: Called
) -> None:
    labels = {t.name: t.labels for t in commanded.model.manifest.tasks}
    assert labels == {"water-animals": ("crab", "eel", "goldfish"), "flowers": ("daisy", "fern")}
    semseg = called.model.manifest.tasks[0]
    assert semseg.labels == ("cat", "dog", "cow")
    assert semseg.palette == ((0, 0, 0), (9, 9, 9), (5, 0, 5))


def test_every_sliced_weight_bears_its_parameters_name(made: Made) -> None:
    full = calibrated(made.network, made.network.space.largest(), torch.rand(4, 3, 32, 32))
    state = full.state_dict()
    assert dict(made.model.manifest.slices) == full.slices()
    weights = made.model.graph.weights
    assert set(state) <= set(weights)
    for name, parameter in made.network.named_parameters():
        np.testing.assert_array_equal(weights[name], parameter.detach().numpy(), err_msg=name)


def test_sub_networks_of_the_published_model_are_those_of_torch(made: Made) -> None:
    checks: list[tuple[int, int]] = []
    images_NCHW = check_images()
    worst = check_parity(
        made.model, made.network, images_NCHW, 3, 1, lambda *done: checks.append(done)
    )
    assert 0.0 <= worst <= TOLERANCE
    assert checks == [(1, 3), (2, 3), (3, 3)]


def test_a_changed_weight_is_noticed(made: Made) -> None:
    """One weight of the last layer, so that it matters to the largest network."""
    name = list(made.network.state_dict())[-1]
    tampered = copy.deepcopy(made.network)
    with torch.no_grad():
        dict(tampered.named_parameters())[name][0] += 0.1
    task = made.recipe.network.tasks[-1].name
    with pytest.raises(ParityError, match=f"task '{task}' of the sub-network .* differs from"):
        check_parity(made.model, tampered, check_images(), 2, 0)


def test_an_encoder_can_be_published_in_coarser_widths(called: Called) -> None:
    """What hardware likes is known after training; preferences keep all steps of the decoders."""
    published, slices = called.model.manifest, called.network.slices()
    manifest = manifest_of(called.recipe, "2", slices, published.calibration, {}, rounding=8)
    for coarse, fine in zip(manifest.groups, published.groups, strict=True):
        whole = fine.task is not None
        kept = [c for c in fine.channels if whole or c % 8 == 0 or c == fine.channels[-1]]
        assert list(coarse.channels) == kept
        assert [fine.ratios[fine.channels.index(c)] for c in kept] == list(coarse.ratios)
    assert manifest.cost == published.cost
    assert manifest.search_space().largest() == called.network.space.largest()


@pytest.mark.parametrize("rounding", [0, 2, 6])
def test_widths_between_those_that_were_trained_are_not_published(
    called: Called, tmp_path: Path, rounding: int
) -> None:
    with pytest.raises(ValueError, match="trained with widths in multiples of 4"):
        publish_again(called, ModelStore(tmp_path), "2", rounding)
    assert not list(tmp_path.iterdir())


def publish_again(called: Called, store: ModelStore, version: str, rounding: int = 4) -> None:
    publish(
        called.recipe,
        called.network,
        called.predictor,
        called.quality,
        called.data,
        called.images_NHWC,
        "real",
        store,
        version,
        rounding,
    )


def test_nothing_is_published_that_differs_from_torch(
    called: Called, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered = onnx.ModelProto()
    tampered.CopyFrom(called.exported)
    name = "decoders.saliency.classify.bias"
    (bias,) = (w for w in tampered.graph.initializer if w.name == name)
    changed = onnx.numpy_helper.to_array(bias).copy()
    changed[0] += 0.1
    bias.CopyFrom(onnx.numpy_helper.from_array(changed, name))
    monkeypatch.setattr(publishing, "export_onnx", lambda _: tampered)
    store = ModelStore(tmp_path / "store")
    with pytest.raises(ParityError, match="task 'saliency'"):
        publish_again(called, store, "1")
    assert store.names() == ()
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("version", "error", "message"),
    [
        ("1", ModelError, "already"),
        ("Version 2", ValueError, "version"),
        ("current", ValueError, "cannot be named"),
    ],
)
def test_a_version_that_cannot_be_written_is_refused_before_the_work(
    called: Called,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    error: type[Exception],
    message: str,
) -> None:
    def export(_: SuperNet) -> onnx.ModelProto:
        raise AssertionError("exported in vain")

    monkeypatch.setattr(publishing, "export_onnx", export)
    with pytest.raises(error, match=message):
        publish_again(called, called.store, version)


def test_progress_is_reported(called: Called) -> None:
    stages = list(dict.fromkeys(what for what, _, _ in called.progress))
    assert stages == [
        "exporting",
        "comparing with PyTorch",
        "measuring on the test split",
        "measuring the hypervolume",
    ]
    assert all(done <= count for _, done, count in called.progress)
    finished = {what for what, done, count in called.progress if done == count}
    assert finished == set(stages)


def test_the_report_holds_what_was_measured(called: Called) -> None:
    report = called.model.report
    assert report == json.loads(json.dumps(called.published.report))
    assert report["parity"] == called.published.parity <= TOLERANCE
    assert report["test_images"] == 8
    assert report["predictor"] == asdict(called.quality)
    widths = report["widths"]
    assert set(widths) == {"full", "middle", "smallest"}
    gmacs = [widths[w]["gmacs"] for w in ("smallest", "middle", "full")]
    assert gmacs == sorted(gmacs)
    assert report["hypervolume"]["preferences"] == PREFERENCES
    assert 0.0 < report["hypervolume"]["value"] < report["hypervolume"]["reference"] ** 5
    assert report["gmacs"] == {"min": gmacs[0], "max": gmacs[2]}


def test_the_reported_quality_is_that_of_torch(called: Called) -> None:
    pixels = torch.from_numpy(called.images_NHWC).permute(0, 3, 1, 2).float() / 255
    for name, architecture in (
        ("full", called.network.space.largest()),
        ("smallest", called.network.space.smallest()),
    ):
        expected = evaluate(calibrated(called.network, architecture, pixels), called.data.test)
        found = called.model.report["widths"][name]["quality"]
        assert found == pytest.approx(expected.metrics, rel=0.01, abs=0.002)


def test_calibration_images_are_shipped_as_they_are(called: Called) -> None:
    np.testing.assert_array_equal(called.model.calibration_NHWC, called.images_NHWC)


def test_examples_ship_with_their_ground_truth(called: Called) -> None:
    folder = called.model.path / "examples"
    assert len(list(folder.iterdir())) == 8
    image = np.asarray(Image.open(io.BytesIO((folder / "2.png").read_bytes())))
    np.testing.assert_array_equal(image, called.data.test.pixels(torch.tensor([2]))[0].numpy())
    truth = np.load(folder / "2.npz")
    batch = called.data.test.batch(torch.tensor([2]))
    assert set(truth) == set(batch.targets)
    for name, target in batch.targets.items():
        np.testing.assert_allclose(truth[name], target[0].numpy(), rtol=1e-3, atol=1e-3)


def test_a_task_may_be_named_like_a_parameter_of_numpy(called: Called) -> None:
    """The ground truth of examples is written by the names of tasks."""
    first, *others = called.recipe.network.tasks
    tasks = (replace(first, name="file"), *others)
    recipe = replace(called.recipe, network=replace(called.recipe.network, tasks=tasks))
    test = Noise.of(recipe, 2)
    data = replace(called.data, test=test)
    files, _ = packed(
        recipe,
        network_of(recipe),
        called.predictor,
        data,
        called.images_NHWC,
        "real",
        "1",
        recipe.network.divisor,
    )
    truth = np.load(io.BytesIO(files["examples/0.npz"]))
    np.testing.assert_array_equal(truth["file"], test.targets["file"][0])


def test_few_test_images_are_enough_to_compare_outputs_on(called: Called) -> None:
    few = replace(called.data, test=Subset(called.data.test, torch.arange(2)))
    assert len(compared_images(few)) == 2
    assert len(compared_images(called.data)) == 4


def test_pictures_of_others_do_not_ship(commanded: Commanded) -> None:
    assert not (commanded.model.path / "examples").exists()
    assert (commanded.model.path / "ATTRIBUTION").read_text() == "nobody\n"


def test_any_batch_size_may_be_asked_of_a_sub_network(made: Made) -> None:
    subnet = build(made.model, choice_of(made.model, made.model.space.smallest()), threads=1)
    session = session_of(subnet, threads=1)
    three = session.run(None, {"image": check_images(3)})
    one = session.run(None, {"image": check_images(3)[1:2]})
    for a, b in zip(three, one, strict=True):
        np.testing.assert_allclose(a[1:2], b, rtol=1e-3, atol=1e-4)


def test_real_calibration_images_are_drawn_from_the_training_part(called: Called) -> None:
    def drawn(seed: int) -> NDArray[np.uint8]:
        return calibration_images(called.network, called.data, "real", 6, seed, lambda *_: None)

    train = called.data.train.pixels(torch.arange(len(called.data.train))).numpy()
    known = {image.tobytes() for image in train}
    first = drawn(0)
    assert first.shape == (6, 32, 32, 3)
    assert {image.tobytes() for image in first} <= known
    np.testing.assert_array_equal(first, drawn(0))
    assert not np.array_equal(first, drawn(1))
