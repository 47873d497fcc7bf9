"""What a GPU would do, as far as it can run on a CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from model_store.published import open_model
from model_store.subnetwork import SubnetRequest, build, choose
from service.device import CPU, CUDA, TENSORRT, Device, FallbackError, run_bound
from service.half import to_half
from service.providers import choose_device
from tests.tiny_network import SIZE, TASKS

NAMES = tuple(t.name for t in TASKS)


@pytest.fixture(scope="module")
def content(models_root: Path) -> bytes:
    model = open_model(models_root / "tiny" / "1")
    return build(model, choose(model, SubnetRequest.of(model, 1.0, {})), 1).onnx


@pytest.fixture
def device() -> Device:
    return choose_device("cpu", 1)


def image(count: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).random((count, 3, SIZE, SIZE), dtype=np.float32)


def test_bound_memory_gives_the_same_outputs(device: Device, content: bytes) -> None:
    session = device.session(content)
    for names in (NAMES, NAMES[3:1:-1]):
        expected = device.run(session, names, image(3))
        found = run_bound(session, names, image(3), "cpu")
        assert list(found) == list(names)
        for name in names:
            np.testing.assert_array_equal(found[name], expected[name])


def test_half_precision_keeps_names_types_and_almost_the_values(
    device: Device, content: bytes
) -> None:
    halved = to_half(content)
    assert len(halved) < 0.8 * len(content)
    before, after = onnx.load_from_string(content).graph, onnx.load_from_string(halved).graph
    for one, two in ((before.input, after.input), (before.output, after.output)):
        assert [(v.name, v.type.tensor_type.elem_type) for v in one] == [
            (v.name, v.type.tensor_type.elem_type) for v in two
        ]
    expected = device.run(device.session(content), NAMES, image())
    session = replace(device, convert=to_half).session(content)
    for name, values in device.run(session, NAMES, image()).items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], rtol=0.05, atol=0.02)


def test_a_session_has_run_before_it_is_given_out(content: bytes) -> None:
    sizes: list[int] = []

    class Counting(Device):
        def run(self, session: object, names: object, input_NCHW: object) -> dict[str, object]:  # type: ignore[override]
            assert isinstance(input_NCHW, np.ndarray)
            sizes.append(len(input_NCHW))
            return super().run(session, names, input_NCHW)  # type: ignore[arg-type,return-value]

    Counting(CPU, "", 1, warm_batches=(1, 4)).session(content)
    assert sizes == [1, 4]


def test_a_session_that_onnxruntime_puts_elsewhere_is_refused(content: bytes) -> None:
    if choose_device("auto", 1).provider == CUDA:
        pytest.skip("CUDA works here")
    with pytest.raises(FallbackError, match="instead of CUDAExecutionProvider"):
        Device(CUDA, "so it was said", 1).session(content)


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_convolutions_on_a_gpu_are_chosen_by_rule_and_not_by_trial(provider: str) -> None:
    device = Device(provider, "", 1)
    assert device.is_gpu
    options: dict[str, dict[str, str]] = dict(p for p in device.providers if isinstance(p, tuple))
    assert options[CUDA]["cudnn_conv_algo_search"] == "HEURISTIC"
    assert device.providers[-1] == CPU
    assert not Device(CPU, "", 1).is_gpu
