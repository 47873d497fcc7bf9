"""A device that networks run on: how sessions are made there, warmed up and run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from model_store.subnet.graph import INPUT
from service.batches import Outputs

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
CPU = "CPUExecutionProvider"

# The default, an exhaustive search of convolution algorithms, takes seconds for every new input
# shape (onnxruntime#709, #19838); and an arena that doubles would keep twice what is needed.
_CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


class FallbackError(RuntimeError):
    """A session does not run where it should."""


@dataclass(frozen=True)
class Device:
    """The execution provider in use, and why. Sessions of it share what can be shared."""

    provider: str
    reason: str
    """In words, without paths: /healthz shows it."""
    intra_op_threads: int
    """Threads of one prediction, on the CPU."""
    convert: Callable[[bytes], bytes] = bytes
    """What is done to an ONNX file before its session is made, such as half precision."""
    warm_batches: tuple[int, ...] = ()
    """Batch sizes that are run before a session is used: on a GPU the first run of a shape chooses
    algorithms and takes memory. On the CPU there is nothing to warm up."""

    @property
    def is_gpu(self) -> bool:
        """Whether networks run on a GPU."""
        return self.provider != CPU

    @property
    def providers(self) -> list[Any]:
        """What onnxruntime is told, the preferred one first."""
        if self.provider == TENSORRT:
            # Engines take long to build; within a process they are kept with the session.
            return [(TENSORRT, {}), (CUDA, _CUDA_OPTIONS), CPU]
        return [(CUDA, _CUDA_OPTIONS), CPU] if self.provider == CUDA else [CPU]

    def session(self, content: bytes) -> ort.InferenceSession:
        """A session for an ONNX file, warmed up.

        Raises:
            FallbackError: onnxruntime chose another provider.
        """
        options = ort.SessionOptions()
        # With one, a network runs on the worker thread that asks for it: the pool of those, as
        # large as the CPU limit, is the process's only one, however many sessions there are.
        # onnxruntime's own global pool spins while it waits, and Python cannot tell it not to.
        options.intra_op_num_threads = self.intra_op_threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would take the cores from the next request.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # An arena never gives memory back while its session lives: with hundreds of sessions that
        # is what the process would consist of. Without it runs take as long (measured).
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        session = ort.InferenceSession(
            self.convert(content),
            options,
            providers=self.providers,
            # A run that fails on a GPU must not quietly go on elsewhere.
            enable_fallback=0,
        )
        if session.get_providers()[0] != self.provider:
            raise FallbackError(
                f"onnxruntime put a network on {session.get_providers()[0]} instead of "
                f"{self.provider}"
            )
        # Only for that fallback does onnxruntime's Python class keep the whole file: without it a
        # session takes 2.3 MB instead of 4.0 (measured on a file of 1.7 MB).
        session._model_bytes = None
        for size in self.warm_batches:
            self._warm_up(session, size)
        return session

    def run(
        self, session: ort.InferenceSession, names: Sequence[str], input_NCHW: NDArray[np.float32]
    ) -> Outputs:
        """Some of a network's outputs. Sessions are thread-safe: several may run at a time."""
        if self.is_gpu:
            return run_bound(session, names, input_NCHW, "cuda")
        found = session.run(list(names), {INPUT: input_NCHW})
        return dict(zip(names, found, strict=True))

    def _warm_up(self, session: ort.InferenceSession, size: int) -> None:
        _, *shape = session.get_inputs()[0].shape
        names = [o.name for o in session.get_outputs()]
        self.run(session, names, np.zeros((size, *shape), np.float32))


def run_bound(
    session: ort.InferenceSession,
    names: Sequence[str],
    input_NCHW: NDArray[np.float32],
    place: str,
) -> Outputs:
    """As ``session.run`` with input and outputs bound to a device's memory.

    So each is copied once, in one piece, and outputs stay on the device until all are there.

    Args:
        session: the network.
        names: the outputs that are wanted.
        input_NCHW: the input.
        place: onnxruntime's name of the device: cuda or cpu.
    """
    binding = session.io_binding()
    value = ort.OrtValue.ortvalue_from_numpy(input_NCHW, place, 0)
    binding.bind_ortvalue_input(INPUT, value)
    for name in names:
        binding.bind_output(name, place)
    session.run_with_iobinding(binding)
    return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))
