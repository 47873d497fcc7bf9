"""Examples of the OpenAPI document: what is answered, shortened, and every error."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from service.openapi_examples import SUBNET_ID, VERSION

_SHA256 = "8c3f3c1109070429314ff3f6d0bd5f8a5baba283841efcd48ff09ceceb3e7047"
_VERSIONED = "/v2/models/{name}/versions/{version}"

_TENSORS = {
    "name": "caltech100",
    "versions": [VERSION],
    "platform": "onnx_onnxv1",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 32, 32]}],
    "outputs": [{"name": "crab-cup", "datatype": "FP32", "shape": [-1, 5]}],
}
_CONFIG = {
    "name": "caltech100",
    "platform": "onnx_onnxv1",
    "backend": "onnxruntime",
    "max_batch_size": 32,
    "input": [{"name": "image", "data_type": "TYPE_FP32", "dims": [3, 32, 32]}],
    "output": [{"name": "crab-cup", "data_type": "TYPE_FP32", "dims": [5]}],
    "parameters": {"model_version": {"string_value": "1"}},
}
_ONCE = {"count": 1, "ns": 640000}
_STATS = {
    "model_stats": [
        {
            "name": "caltech100",
            "version": "260374015455459679",
            "subnet_id": VERSION,
            "last_inference": 1767225600000,
            "inference_count": 1,
            "execution_count": 1,
            "inference_stats": {
                "success": _ONCE,
                "fail": {"count": 0, "ns": 0},
                "queue": _ONCE,
                "compute_input": _ONCE,
                "compute_infer": _ONCE,
                "compute_output": _ONCE,
                "cache_hit": {"count": 0, "ns": 0},
                "cache_miss": {"count": 0, "ns": 0},
            },
            "batch_stats": [
                {
                    "batch_size": 1,
                    "compute_input": _ONCE,
                    "compute_infer": _ONCE,
                    "compute_output": _ONCE,
                }
            ],
        }
    ]
}
_INFERRED = {
    "model_name": "caltech100",
    "model_version": VERSION,
    "id": "1",
    "parameters": {"subnet_id": VERSION, "gmacs": 0.03},
    "outputs": [
        {
            "name": "crab-cup",
            "datatype": "FP32",
            "shape": [1, 5],
            "data": [0.1, -1.2, 2.0, 0.4, -0.7],
        }
    ],
}
_SUBNET = {
    "subnet_id": SUBNET_ID,
    "model": "rooms",
    "version": "1",
    "tasks": ["semseg", "depth"],
    "gmacs": 0.248777472,
    "parameters": 2192048,
    "size_bytes": 8823855,
    "widths": {
        "encoder": {"stem": 1.0, "stage4.3.expanded": 0.5},
        "decoders": {"semseg": 0.67, "depth": 1.0},
    },
    "channels": {"stem": 32, "stage4.3.expanded": 192, "decoder.semseg": 32, "decoder.depth": 48},
    "predicted": {
        "semseg": {"loss": 0.249, "metric": "miou", "value": 0.734},
        "depth": {"loss": 0.056, "metric": "abs_rel", "value": 0.058},
    },
    "sha256": _SHA256,
    "links": {
        "self": f"/subnet/{SUBNET_ID}",
        "onnx": f"/subnet/{SUBNET_ID}/onnx",
        "predict": f"/predict?subnet_id={SUBNET_ID}",
        "latency": f"/subnet/{SUBNET_ID}/latency",
    },
}
_EXAMPLE = {
    "name": "0",
    "source": "test",
    "links": {"self": "/models/rooms/examples/0", "picture": "/models/rooms/examples/0/picture"},
}
_DEPTH = {
    "kind": "depth",
    "height": 480,
    "width": 640,
    "encoding": "png16",
    "data": "iVBORw0KGgo=",
    "scale": 0.001,
    "unit": "m",
}
_SUMMARY = {
    "name": "rooms",
    "version": "1",
    "method": "ecmt",
    "default": False,
    "tasks": ["semseg", "depth"],
    "budget": {"min_gmacs": 0.127263488, "max_gmacs": 0.452946944},
    "links": {"self": "/models/rooms"},
}

ANSWERS: Mapping[tuple[str, str], Any] = {
    ("get", "/livez"): {"status": "alive"},
    ("get", "/readyz"): {"status": "ready"},
    ("get", "/healthz"): {
        "status": "ok",
        "models": {"rooms": "1"},
        "refused_models": {},
        "provider": {"name": "CPUExecutionProvider", "reason": "the CPU was asked for"},
        "redis": {"up": True, "embedded": True, "writable": True},
        "cache": {"where": "redis", "memory_entries": 0, "memory_bytes": 0},
        "sessions": {"count": 2, "bytes": 34014185},
    },
    ("get", "/models"): {"models": [_SUMMARY | {"examples": 4}]},
    ("post", "/subnet"): {
        **_SUBNET,
        "budget": {"gmacs": 0.25},
        "cost": {"gmacs": 0.248777472},
        "budget_gmacs": 0.25,
        "cache": "miss",
        "timings_ms": {"search": 180.7, "extract": 101.9, "calibrate": 1204.0, "store": 13.6},
    },
    ("get", "/subnet/{subnet_id}"): _SUBNET,
    ("post", "/predict"): {
        "subnet_id": SUBNET_ID,
        "gmacs": 0.248777472,
        "cache": "hit",
        "timings_ms": {"decode": 0.4, "infer": 6.1, "encode": 1.2},
        "outputs": {"depth": _DEPTH},
    },
    ("post", "/curve"): {
        "model": "rooms",
        "version": "1",
        "points": [
            {
                "budget": 0.290105216,
                "cost": 0.289894272,
                "gmacs": 0.289894272,
                "subnet_id": SUBNET_ID,
                "predicted": _SUBNET["predicted"],
            }
        ],
    },
    ("post", "/subnet/{subnet_id}/latency"): {
        "subnet_id": SUBNET_ID,
        "runs": 20,
        "fastest_ms": 6.1,
        "median_ms": 6.3,
        "slowest_ms": 9.0,
        "place": {
            "provider": "CPUExecutionProvider",
            "threads": 1,
            "precision": "fp32",
            "machine": "x86_64",
        },
    },
    ("get", "/models/{name}/examples"): {"examples": [_EXAMPLE | {"truth": ["semseg", "depth"]}]},
    ("get", "/models/{name}/examples/{example}"): _EXAMPLE | {"truth": {"depth": _DEPTH}},
    ("get", "/v2"): {
        "name": "slimdial",
        "version": "0.1.0",
        "extensions": ["binary_tensor_data", "statistics"],
    },
    ("get", "/v2/health/live"): {"live": True},
    ("get", "/v2/health/ready"): {"ready": True},
    ("get", "/v2/models/stats"): _STATS,
    ("get", "/v2/models/{name}"): _TENSORS,
    ("get", _VERSIONED): _TENSORS,
    ("get", "/v2/models/{name}/ready"): {"name": "caltech100", "ready": True},
    ("get", f"{_VERSIONED}/ready"): {"name": "caltech100", "ready": True},
    ("get", "/v2/models/{name}/config"): _CONFIG,
    ("get", f"{_VERSIONED}/config"): _CONFIG,
    ("get", "/v2/models/{name}/stats"): _STATS,
    ("get", f"{_VERSIONED}/stats"): _STATS,
    ("post", "/v2/models/{name}/infer"): _INFERRED,
    ("post", f"{_VERSIONED}/infer"): _INFERRED,
    ("post", "/v2/repository/index"): [
        {"name": "caltech100", "version": VERSION, "state": "READY", "reason": ""}
    ],
    ("post", "/v2/repository/models/{name}/load"): {
        "name": "caltech100",
        "version": VERSION,
        "number": "260374015455459679",
        "state": "READY",
        "gmacs": 0.03,
    },
    ("post", "/v2/repository/models/{name}/unload"): {"name": "caltech100"},
    ("get", "/models/{name}"): {
        **_SUMMARY,
        "digest": _SHA256,
        "budgets": {
            "gmacs": {"min": 0.127263488, "max": 0.452946944},
            "fraction": {"min": 0.281, "max": 1.0},
        },
        "tasks": [
            {
                "name": "depth",
                "kind": "depth",
                "classes": 1,
                "labels": [],
                "palette": [],
                "metric": {"name": "abs_rel", "higher_is_better": False, "unit": ""},
            }
        ],
        "input": {
            "height": 128,
            "width": 128,
            "channel_order": "RGB",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
        },
        "groups": [{"name": "stem", "task": None, "channels": [16, 32]}],
        "widths": {"encoder": {"stem": [0.5, 1.0]}, "decoders": {"depth": [0.5, 1.0]}},
        "provenance": {
            "dataset": "rooms",
            "recipe": "rooms",
            "seed": 0,
            "libraries": {"torch": "2.13.0"},
            "created": "2026-01-01",
            "attribution": "the project",
            "license": "Apache-2.0",
        },
        "report": {"test_images": 400},
    },
}
"""What is answered with 200, as JSON; shortened."""


_REASONS: Mapping[int, tuple[str, Mapping[str, object]]] = {
    400: ("the body is not JSON that can be read: EOF while parsing a value", {}),
    401: ("a key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY", {}),
    403: (
        "the key 'camera-3' does not have the scope 'subnet'; it has predict",
        {"missing_scope": "subnet"},
    ),
    404: ("unknown model 'garden'; known are ['caltech100', 'rooms']", {}),
    406: ("answers come as application/json, application/x-npz or image/png", {}),
    408: ("17 bytes of the body had come after 20 s: too slow", {}),
    413: ("the body is larger than 33554432 bytes", {"max_body_bytes": 33554432}),
    415: ("not an image that can be read; JPEG, PNG and WebP images are taken", {}),
    422: (
        "a budget of 0.001 GMACs is infeasible; feasible are 0.1273 to 0.4529 GMACs",
        {"feasible": {"min_gmacs": 0.127263488, "max_gmacs": 0.452946944}},
    ),
    429: ("128 requests wait already, as many as may: try again in 2 s", {"retry_after_s": 2}),
    431: ("the request line and the headers are larger than 16384 bytes", {}),
    503: ("the service is shutting down", {}),
    504: ("the request took longer than its 0.25 s", {}),
}


def problem(status: int) -> dict[str, object]:
    """An error as it is answered with a status."""
    detail, extra = _REASONS[status]
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": detail,
        "request_id": "1d9b6f1c0f0e4f0c8a5d3c6d5d6f3a2b",
        **extra,
    }
