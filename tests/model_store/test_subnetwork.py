"""From a request to an ONNX file: the same on every replica, and true to what it says of itself."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from model_store.calibration import as_input, calibrate
from model_store.published import ModelStore, PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.normalisation import batch_norms
from model_store.subnet.search import InfeasibleBudget
from model_store.subnet.wire import serialise
from model_store.subnetwork import (
    Choice,
    Subnet,
    SubnetMetadata,
    SubnetRequest,
    Widths,
    build,
    choose,
    subnet_id,
)
from tests.tiny import publish_tiny, tiny_images

TASKS = ("animals", "depth")


def request(model: PublishedModel, budget: float = 0.002, **preference: float) -> SubnetRequest:
    return SubnetRequest.of(model, budget, preference or {"depth": 1.0}, TASKS)


@pytest.fixture(scope="module")
def choice(tiny: PublishedModel) -> Choice:
    return choose(tiny, request(tiny))


@pytest.fixture(scope="module")
def subnet(tiny: PublishedModel, choice: Choice) -> Subnet:
    return build(tiny, choice, threads=1)


def test_the_choice_keeps_to_the_budget(tiny: PublishedModel, choice: Choice) -> None:
    assert choice.macs <= 2_000_000
    assert choice.macs == tiny.cost.for_tasks(TASKS).of(choice.architecture)


def test_the_same_request_gets_the_same_answer_on_any_replica(
    tiny: PublishedModel, choice: Choice, subnet: Subnet
) -> None:
    replica = ModelStore(tiny.path.parent.parent).open("tiny")
    again = choose(replica, request(replica))
    assert again == choice
    assert build(replica, again, threads=1).onnx == subnet.onnx


def test_what_is_predicted_is_what_the_predictor_says(tiny: PublishedModel, choice: Choice) -> None:
    channels_PG = np.array([choice.architecture.channels])
    losses_PN, metrics_PN = tiny.predictor.predict(tiny.space.ratios_of(channels_PG))
    assert choice.predicted == {
        "animals": {"loss": losses_PN[0, 0], "metric": "accuracy", "value": metrics_PN[0, 0]},
        "depth": {"loss": losses_PN[0, 2], "metric": "rel", "value": metrics_PN[0, 2]},
    }


def test_a_budget_below_the_smallest_is_refused_with_the_range(tiny: PublishedModel) -> None:
    cost = tiny.cost.for_tasks(TASKS)
    with pytest.raises(InfeasibleBudget) as caught:
        choose(tiny, request(tiny, budget=1e-6))
    assert caught.value.least == cost.of(tiny.space.smallest())
    assert caught.value.most == cost.of(tiny.space.largest())


def test_the_identity_is_that_of_the_network(tiny: PublishedModel, tmp_path: Path) -> None:
    largest = tiny.space.largest()
    narrower = tiny.space.from_channels({**largest.as_dict(), "stem": 8})
    dropped = tiny.space.from_channels({**largest.as_dict(), "semseg": 8})

    def name(architecture: object, tasks: tuple[str, ...] = TASKS) -> str:
        return subnet_id(tiny, architecture, tasks, "fp32")  # type: ignore[arg-type]

    assert name(largest) == name(largest)
    assert name(largest) == name(dropped), "the width of a dropped decoder does not matter"
    assert name(largest) == name(largest, TASKS[::-1])
    publish_tiny(tmp_path, seed=1)
    other = ModelStore(tmp_path).open("tiny")
    names = {
        name(largest),
        name(narrower),
        name(largest, ("depth",)),
        subnet_id(tiny, largest, TASKS, "fp16"),
        subnet_id(other, largest, TASKS, "fp32"),
    }
    assert len(names) == 5


def test_the_network_computes_what_the_calibrated_slice_computes(
    tiny: PublishedModel, choice: Choice, subnet: Subnet
) -> None:
    slices = tiny.manifest.slices
    sliced = cut(tiny.graph, tiny.space, slices, choice.architecture, choice.tasks)
    weights = dict(sliced.weights)
    statistics = calibrate(sliced, tiny.calibration_NHWC, threads=1)
    for name, norm in batch_norms(sliced).items():
        for parameter, value in zip(norm.input[3:], statistics[name], strict=True):
            weights[parameter] = value.astype(np.float32)
    unfolded = type(sliced)(sliced.nodes, weights, sliced.image, sliced.outputs)
    image = {"image": as_input(tiny_images(3, 5))}
    expected = ort.InferenceSession(serialise(unfolded)).run(None, image)
    for found, output in zip(
        ort.InferenceSession(subnet.onnx).run(None, image), expected, strict=True
    ):
        np.testing.assert_allclose(found, output, rtol=0, atol=1e-4 * np.abs(output).max())


def test_the_file_is_plain_onnx_with_the_promised_interface(subnet: Subnet) -> None:
    model = onnx.load_model_from_string(subnet.onnx)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [o.version for o in model.opset_import]) == (10, [18])
    assert not any(n.op_type == "BatchNormalization" for n in model.graph.node)
    session = ort.InferenceSession(subnet.onnx)
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(float)", ["N", 3, 32, 32])
    assert [o.name for o in session.get_outputs()] == ["animals", "depth"]
    assert [o.shape for o in session.get_outputs()] == [["N", 3], ["N", 1, 32, 32]]


def test_the_file_says_what_it_is(tiny: PublishedModel, choice: Choice, subnet: Subnet) -> None:
    stamped = {p.key: p.value for p in onnx.load_model_from_string(subnet.onnx).metadata_props}
    assert stamped["slimdial.subnet_id"] == choice.subnet_id == subnet.subnet_id
    assert stamped["slimdial.model_digest"] == tiny.digest
    assert stamped["slimdial.macs"] == str(choice.macs)
    assert stamped["slimdial.license"] == "CC0-1.0"
    assert [t["name"] for t in json.loads(stamped["slimdial.tasks"])] == ["animals", "depth"]
    assert json.loads(stamped["slimdial.channels"]) == subnet.metadata.channels


def test_the_metadata_describe_the_network(
    tiny: PublishedModel, choice: Choice, subnet: Subnet
) -> None:
    metadata = subnet.metadata
    assert (metadata.model, metadata.version, metadata.tasks) == ("tiny", "1", TASKS)
    assert metadata.model_digest == tiny.digest
    assert metadata.gmacs == choice.macs / 1e9
    assert metadata.size_bytes == len(subnet.onnx)
    assert set(metadata.widths.encoder) == {"stem", "block", "expand", "stage"}
    assert set(metadata.widths.decoders) == set(TASKS)
    assert metadata.channels["stem"] == choice.architecture["stem"]
    assert metadata.widths.encoder["stem"] == choice.architecture["stem"] / 16
    assert set(metadata.timings_ms) == {"extract", "calibrate"}
    assert SubnetMetadata.model_validate_json(metadata.model_dump_json()) == metadata


def test_a_linear_heads_width_is_its_share_of_the_features(tiny: PublishedModel) -> None:
    """A head that reads all that the sub-network has is at full width, however few they are."""
    for architecture in (tiny.space.smallest(), tiny.space.largest()):
        assert Widths.of(tiny, architecture, ("animals",)).decoders == {"animals": 1.0}
    narrow = tiny.space.from_channels(tiny.space.largest().as_dict() | {"animals": 4, "depth": 8})
    assert Widths.of(tiny, narrow, TASKS).decoders == {"animals": 4 / 16, "depth": 8 / 16}


def test_parameters_are_counted_by_hand_in_the_smallest_network(tiny: PublishedModel) -> None:
    smallest = tiny.space.smallest()
    tasks = ("animals",)
    choice = Choice(subnet_id(tiny, smallest, tasks, "fp32"), smallest, tasks, 0, {})
    found = build(tiny, choice, threads=1).metadata.parameters
    # Widths: stem 4, block 8, expand 8, stage 4, head 4; every convolution has a folded bias.
    stem, block = (4 * 3 * 9 + 4), (8 * 4 * 9 + 8) + (4 * 8 * 9 + 4)
    inverted = (8 * 4 + 8) + (8 * 9 + 8) + (4 * 8 + 4)
    assert found == stem + block + inverted + (3 * 4 + 3)
