"""Where networks run: on CUDA where that really works, else on the CPU, and loudly so.

``onnxruntime-gpu`` lists CUDA as available on any machine and falls back to the CPU with no more
than a line on stderr. So a small convolution is really run, with the fallback forbidden.
"""

import ctypes
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

log = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

# New input shapes would each cost an exhaustive search of convolution algorithms.
_CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


class DeviceError(Exception):
    """The device that was asked for does not work."""


@dataclass(frozen=True)
class Device:
    """The execution provider in use, and why."""

    provider: str
    reason: str
    intra_op_threads: int

    def session(self, content: bytes) -> ort.InferenceSession:
        """A session for an ONNX file."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.intra_op_threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would take the cores from the next request.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        return ort.InferenceSession(content, options, providers=self._providers())

    def _providers(self) -> list[Any]:
        return [(CUDA, _CUDA_OPTIONS), CPU] if self.provider == CUDA else [CPU]


def choose_device(wanted: Literal["auto", "cpu", "cuda"], intra_op_threads: int) -> Device:
    """Finds out where networks can run.

    Raises:
        DeviceError: CUDA was demanded and does not work.
    """
    if wanted == "cpu":
        return Device(CPU, "the CPU was asked for", intra_op_threads)
    reason = _cuda_fails()
    if reason is None:
        log.info("networks run on %s", CUDA)
        return Device(CUDA, "a convolution ran on CUDA", intra_op_threads)
    if wanted == "cuda":
        raise DeviceError(f"CUDA was asked for and does not work: {reason}")
    log.warning("networks run on the CPU, since CUDA does not work here: %s", reason)
    return Device(CPU, f"CUDA does not work here: {reason}", intra_op_threads)


def _cuda_fails() -> str | None:
    """Why a convolution cannot run on CUDA; None where it can."""
    if CUDA not in ort.get_available_providers():
        return "this onnxruntime was built without CUDA"
    if importlib.util.find_spec("nvidia"):
        ort.preload_dlls(msvc=False)  # CUDA and cuDNN from their wheels
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    # The failure is reported below, in one line instead of several in colour.
    ort.set_default_logger_severity(4)
    try:
        session = ort.InferenceSession(_convolution(), options, providers=[(CUDA, _CUDA_OPTIONS)])
        session.run(None, {"x": np.ones((1, 3, 8, 8), np.float32)})
    except Exception as error:  # whatever the driver, the libraries or onnxruntime raise
        return _missing_library() or " ".join(str(error).split())[:300]
    finally:
        ort.set_default_logger_severity(2)
    return None


def _missing_library() -> str | None:
    """The loader's own words, where the CUDA provider cannot even be loaded."""
    library = Path(ort.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return None


def _convolution() -> bytes:
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "probe", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content
