"""Examples of the OpenAPI document: requests, which work as they stand with the models that ship.

A request that names a sub-network means that of the first example of ``POST /subnet``, and one that
names a version that of the first example of a load, as the models were when this was written; a
service gives ids of its own.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

SUBNET_ID = "13876fee4b5b8a8263206206b517bc13"
VERSION = "39d08c99bf6f95fbbc2ce58868c3c1b6"

# Blue over green, 8 x 8.
_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAG0lEQVR4nGPUiDrBgA0wYRUlS4JFxK2O1nYAAFjBAj"
    "SKjnDpAAAAAElFTkSuQmCC"
)

Examples: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By name: ``summary``, ``value``, and where it is not 200 the status as ``x-status``."""

_DIAL = {
    "model": "rooms",
    "budget": {"gmacs": 0.25},
    "preference": {"depth": 1.0, "semseg": 0.3},
}

_ONE = {"name": "image", "shape": [1, 3, 32, 32], "datatype": "FP32", "data": [0.5] * 3072}
"""A grey picture for the model ``caltech100``."""
_BRIEF = _ONE | {"shape": [1, 3, 1, 1], "data": [0.5] * 3}
_CRABS = {"name": "crab-cup"}


def _of(summary: str, value: object, status: int = 200) -> dict[str, Any]:
    found = {"summary": summary, "value": value}
    return found if status == 200 else found | {"x-status": status}


_INFER = {
    "json": _of("A grey picture as JSON", {"id": "1", "inputs": [_ONE]}),
    "dial": _of(
        "With the dials as parameters, and one output",
        {
            "inputs": [_ONE],
            "outputs": [_CRABS],
            "parameters": {"gmacs": 0.03, "preference.crab-cup": 1.0},
        },
    ),
    "type": _of(
        "A type that there is not", {"inputs": [_BRIEF | {"datatype": "INT8"}]}, status=400
    ),
}

REQUESTS: Mapping[tuple[str, str], Mapping[str, Examples]] = {
    ("post", "/subnet"): {
        "application/json": {
            "depth": _of("Depth above all, at half the cost", _DIAL),
            "tasks": _of(
                "Two tasks only",
                {"model": "rooms", "budget": {"gmacs": 0.2}, "tasks": ["depth", "normals"]},
            ),
            "fraction": _of(
                "Half of the full network", {"model": "rooms", "budget": {"fraction": 0.5}}
            ),
            "infeasible": _of(
                "Less than the smallest sub-network",
                {"model": "rooms", "budget": {"gmacs": 0.001}},
                status=422,
            ),
            "unknown": _of(
                "An unknown model", {"model": "garden", "budget": {"gmacs": 1.0}}, status=404
            ),
        }
    },
    ("post", "/predict"): {
        "application/json": {
            "subnet": _of("With a sub-network", {"image": _PNG, "subnet_id": SUBNET_ID}),
            "dial": _of("With the dials", {"image": _PNG, **_DIAL}),
            "example": _of("One of the model's examples, measured", {"example": "0", **_DIAL}),
            "neither": _of("With neither", {"image": _PNG}, status=422),
        },
    },
    ("post", "/curve"): {
        "application/json": {
            "depth": _of(
                "Depth above all, at three budgets",
                {"model": "rooms", "preference": {"depth": 1.0, "semseg": 0.3}, "points": 3},
            ),
            "latency": _of(
                "Latency, of a model without a profile",
                {"model": "rooms", "kind": "latency_ms"},
                status=422,
            ),
        }
    },
    ("post", "/subnet/{subnet_id}/latency"): {
        "application/json": {"runs": _of("Five runs", {"runs": 5})}
    },
    ("post", "/v2/models/{name}/infer"): {"application/json": _INFER},
    ("post", "/v2/models/{name}/versions/{version}/infer"): {
        "application/json": {
            "odd": _of("An input of another size", {"inputs": [_BRIEF]}, status=400),
            "grey": _of("A grey picture, and one output", {"inputs": [_ONE], "outputs": [_CRABS]}),
        }
    },
    ("post", "/v2/repository/index"): {
        "application/json": {"ready": _of("What is ready", {"ready": True})}
    },
    ("post", "/v2/repository/models/{name}/load"): {
        "application/json": {
            "dial": _of(
                "With the dials", {"parameters": {"gmacs": 0.03, "preference.crab-cup": 1.0}}
            ),
            "full": _of("The full network", {}),
            "unknown": _of("An unknown dial", {"parameters": {"speed": 1}}, status=422),
        }
    },
    ("post", "/v2/repository/models/{name}/unload"): {
        "application/json": {
            "absent": _of("A version that is not there", {"parameters": {"version": "7"}}, 404),
            "all": _of("The whole model", {}),
        }
    },
}


def parameters(path: str) -> Mapping[str, str]:
    """Values of a path's parameters that go with the examples of its body."""
    if path.startswith("/v2"):
        return {"name": "caltech100", "version": VERSION}
    return {"name": "rooms", "subnet_id": SUBNET_ID, "example": "0"}
