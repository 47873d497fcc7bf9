import logging

import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from service.providers import CPU, CUDA, DeviceError, choose_device


def cuda_works() -> bool:
    return choose_device("auto", 1).provider == CUDA


def test_what_is_chosen_is_what_sessions_run_on(caplog: pytest.LogCaptureFixture) -> None:
    from service.providers import _convolution

    caplog.set_level(logging.INFO)
    device = choose_device("auto", 1)
    session: ort.InferenceSession = device.session(_convolution())
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
    with pytest.raises(DeviceError, match="CUDA was asked for"):
        choose_device("cuda", 1)


def test_the_cpu_can_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_device("cpu", 3).provider == CPU
    assert not caplog.records
