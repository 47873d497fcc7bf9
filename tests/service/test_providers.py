import logging

import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from service.device import CPU, CUDA
from service.providers import DeviceError, choose_device, convolution


def cuda_works() -> bool:
    return choose_device("auto", 1).provider == CUDA


def test_what_is_chosen_is_what_sessions_run_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    device = choose_device("auto", 1)
    session: ort.InferenceSession = device.session(convolution())
    assert session.get_providers()[0] == device.provider
    assert device.reason
    assert device.provider in caplog.text or "CPU" in caplog.text


def test_a_fallback_to_the_cpu_is_loud_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    if cuda_works():
        pytest.skip("CUDA works here")
    caplog.clear()
    device = choose_device("auto", 1)
    assert device.provider == CPU
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "CUDA does not work" in record.message
    with pytest.raises(DeviceError, match=r"was asked for and does not work: .*nvidia-smi"):
        choose_device("cuda", 1)


def test_where_a_gpu_is_required_there_is_no_fallback() -> None:
    if cuda_works():
        pytest.skip("CUDA works here")
    with pytest.raises(DeviceError, match=r"does not work: .*pip install"):
        choose_device("auto", 1, require_gpu=True)
    with pytest.raises(DeviceError, match="choose one of them"):
        choose_device("cpu", 1, require_gpu=True)
    with pytest.raises(DeviceError, match="TensorrtExecutionProvider"):
        choose_device("tensorrt", 1)


def test_the_reason_names_no_folder() -> None:
    assert "/" not in choose_device("auto", 1).reason


def test_the_cpu_can_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_device("cpu", 3).provider == CPU
    assert not caplog.records
