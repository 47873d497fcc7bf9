"""ONNX files in half precision, for GPUs whose tensor cores are made for it."""

import onnx
from onnxruntime.transformers.float16 import (  # type: ignore[import-untyped]
    convert_float_to_float16,
)


def to_half(content: bytes) -> bytes:
    """The same network with weights and arithmetic in float16.

    Input and outputs stay float32. Operators that onnxruntime knows to lose too much (its block
    list: resizing among them) stay in float32 as well.
    """
    model = onnx.load_model_from_string(content)
    halved = convert_float_to_float16(model, keep_io_types=True)
    result: bytes = halved.SerializeToString()
    return result
