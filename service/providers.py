"""Where networks run: on CUDA where that really works, else on the CPU, and loudly so.

``onnxruntime-gpu`` lists CUDA as available on any machine and falls back to the CPU with no more
than a line on stderr. So a small convolution is really run, with the fallback forbidden.
"""

import ctypes
import importlib.util
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from service.device import CPU, CUDA, TENSORRT, Device

log = logging.getLogger(__name__)

Wanted = Literal["auto", "cpu", "cuda", "tensorrt"]

_ADVICE = (
    "check that `nvidia-smi` works here (a container needs --gpus all or the NVIDIA runtime), and "
    "install CUDA 13 and cuDNN 9, for instance with pip install 'onnxruntime-gpu[cuda,cudnn]'; or "
    "unset SLIMDIAL_REQUIRE_GPU and use --device auto, which falls back to the CPU"
)


class DeviceError(Exception):
    """The device that was asked for does not work."""


def choose_device(wanted: Wanted, intra_op_threads: int, require_gpu: bool = False) -> Device:
    """Finds out where networks can run.

    Args:
        wanted: cpu; or cuda or tensorrt, and nothing else; auto is CUDA if it works, else the CPU.
        intra_op_threads: threads of one prediction on the CPU.
        require_gpu: auto is cuda.

    Raises:
        DeviceError: a GPU was demanded and does not work; it says why and what to do.
    """
    if wanted == "cpu":
        if require_gpu:
            raise DeviceError("the CPU was asked for, and a GPU is required: choose one of them")
        return Device(CPU, "the CPU was asked for", intra_op_threads)
    provider = TENSORRT if wanted == "tensorrt" else CUDA
    reason = _fails(provider)
    if reason is None:
        log.info("networks run on %s", provider)
        return Device(provider, f"a convolution ran on {provider}", intra_op_threads)
    if wanted != "auto" or require_gpu:
        raise DeviceError(f"{provider} was asked for and does not work: {reason}; {_ADVICE}")
    log.warning("networks run on the CPU, since CUDA does not work here: %s", reason)
    return Device(CPU, f"CUDA does not work here: {reason}", intra_op_threads)


def _fails(provider: str) -> str | None:
    """Why a convolution cannot run on a provider; None where it can."""
    if provider not in ort.get_available_providers():
        return f"this onnxruntime was built without {provider}"
    if importlib.util.find_spec("nvidia"):
        ort.preload_dlls(msvc=False)  # CUDA and cuDNN from their wheels
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    # The failure is reported below, in one line instead of several in colour.
    ort.set_default_logger_severity(4)
    try:
        session = ort.InferenceSession(convolution(), options, providers=[provider])
        session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})
    except Exception as error:  # whatever the driver, the libraries or onnxruntime raise
        return _missing_library(provider) or " ".join(str(error).split())[:300]
    finally:
        ort.set_default_logger_severity(2)
    if session.get_providers()[0] != provider:
        return f"onnxruntime fell back to {session.get_providers()[0]}"
    return None


def _missing_library(provider: str) -> str | None:
    """The loader's own words, where the provider cannot even be loaded."""
    name = provider.removesuffix("ExecutionProvider").lower()
    library = Path(ort.__file__).parent / "capi" / f"libonnxruntime_providers_{name}.so"
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        # Without the folders: the reason is shown by /healthz, paths are nobody's business there.
        return str(error).replace(f"{library.parent}/", "")
    return None


def convolution() -> bytes:
    """A network of one convolution: input ``x`` [1, 3, 8, 8], output ``y``."""
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "probe", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content
