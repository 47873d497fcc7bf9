import json

import pytest

from service.errors import BadRequestError, NotFoundError, ServiceError
from service.oip.dials import from_config, query, seconds
from service.oip.schemas import Parameter


def test_flat_parameters_make_a_dial() -> None:
    parameters: dict[str, Parameter] = {
        "gmacs": 0.25,
        "preference.depth": 1,
        "preference.edges": "0.5",
        "tasks": "depth, edges",
        "search": "ecmt",
        "binary_data_output": True,
        "timeout": 1000,
    }
    asked = query("rooms", None, parameters)
    assert asked is not None
    dial = asked.dial()
    assert (dial.model, dial.budget.gmacs, dial.search) == ("rooms", 0.25, "ecmt")
    assert dial.preference == {"depth": 1.0, "edges": 0.5}
    assert dial.tasks == ["depth", "edges"]


def test_without_a_dial_the_choice_is_the_service_s() -> None:
    assert query("rooms", None, {"binary_data_output": False, "timeout": 5}) is None


def test_a_version_leaves_nothing_to_dial() -> None:
    asked = query("rooms", "a" * 32, {"timeout": 5})
    assert asked is not None
    assert asked.subnet_id == "a" * 32
    with pytest.raises(BadRequestError, match="gmacs"):
        query("rooms", "a" * 32, {"gmacs": 1.0})
    for unknown in ("", "a" * 1000):
        with pytest.raises(NotFoundError):
            query("rooms", unknown, {})


@pytest.mark.parametrize(
    "parameters",
    [
        {"gmacs": "much"},
        {"gmacs": True},
        {"gmacs": -1.0},
        {"gmacs": 1.0, "budget.gmacs": 1.0},
        {"preference.depth": 1.0},  # of what budget?
        {"gmacs": 1.0, "preference.depth": 2.0},
        {"gmacs": 1.0, "speed": 1},
        {"gmacs": 1.0, "model": "other"},
        {"subnet_id": "a"},
        {"gmacs": 1.0, "task": "depth"},
        {"request": "{}"},
        {"priority": 1},
    ],
)
def test_what_is_no_dial_is_refused(parameters: dict[str, Parameter]) -> None:
    with pytest.raises(ServiceError) as error:
        query("rooms", None, parameters)
    assert error.value.status in (400, 422)


def test_a_timeout_is_in_microseconds_and_0_is_none() -> None:
    assert seconds({"timeout": 250_000}) == 0.25
    assert seconds({"timeout": 0}) is None
    assert seconds({}) is None
    assert seconds({"timeout": 2**64 - 1}) == pytest.approx(1.8e13, rel=0.03)
    for odd in (True, -1, 1.5, "1", 2**64, 10**310):
        with pytest.raises(BadRequestError):
            seconds({"timeout": odd})


def test_a_configuration_carries_parameters_as_text() -> None:
    config = {"name": "rooms", "parameters": {"gmacs": {"string_value": "0.25"}}}
    assert from_config({"config": json.dumps(config), "tasks": "depth"}) == {
        "gmacs": "0.25",
        "tasks": "depth",
    }
    assert from_config({"gmacs": 1.0}) == {"gmacs": 1.0}


@pytest.mark.parametrize(
    "config", [7, "", "7", "{", '{"backend": "x"}', '{"parameters": 1}', '{"parameters": {"a": 1}}']
)
def test_what_is_no_configuration_is_refused(config: Parameter) -> None:
    with pytest.raises(BadRequestError, match="string_value"):
        from_config({"config": config})
