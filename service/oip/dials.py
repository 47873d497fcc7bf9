"""The two dials as parameters of a request: flat names with text, numbers or booleans.

``gmacs`` is the budget (``budget.NAME`` any of its kinds), ``preference.TASK`` a preference,
``tasks`` a comma-separated list, ``search`` an algorithm.
"""

from collections.abc import Mapping

from pydantic_core import from_json, to_json

from service.errors import BadRequestError
from service.oip.schemas import Parameter
from service.queries import query_for, query_of
from service.schemas import PredictQuery

_CONTROL = frozenset({"binary_data_output", "timeout"})
_NOT_A_DIAL = {"model", "subnet_id", "task", "request"}


def query(
    model: str, version: str | None, parameters: Mapping[str, Parameter]
) -> PredictQuery | None:
    """The sub-network that a request asks for; None where it leaves the choice to the service.

    Args:
        model: its name.
        version: the ``subnet_id``, where the path names one.
        parameters: of the request.

    Raises:
        BadRequestError: both a version and a dial are given, or a parameter is unknown.
        NotFoundError: there can be no such version.
        UnprocessableError: the dial makes no sense.
    """
    dial = {name: value for name, value in parameters.items() if name not in _CONTROL}
    if version is not None:
        if dial:
            raise BadRequestError(f"a version is chosen already; {sorted(dial)} cannot be given")
        return query_for(version)
    if not dial:
        return None
    if odd := sorted(_NOT_A_DIAL & set(dial)):
        raise BadRequestError(f"unknown parameters {odd}")
    fields = [("budget.gmacs" if n == "gmacs" else n, _text(v)) for n, v in dial.items()]
    return query_of([("model", model), *fields])


def seconds(parameters: Mapping[str, Parameter]) -> float | None:
    """Triton's ``timeout``, which is in microseconds.

    Raises:
        BadRequestError: it is not a whole number of 64 bits.
    """
    timeout = parameters.get("timeout")
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 0 <= timeout < 1 << 64:
        raise BadRequestError("timeout is a whole number of microseconds, below 2^64")
    return timeout / 1e6 or None  # 0 is Triton's way to say that there is none


def from_config(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters of a load request: its own, and those of a Triton model configuration.

    tritonclient has no other way to send parameters: ``load_model(name, config=...)`` with
    ``{"parameters": {"gmacs": {"string_value": "0.25"}}}``.

    Raises:
        BadRequestError: the configuration is none, or asks for what cannot be changed.
    """
    found = dict(parameters)
    config = found.pop("config", None)
    if config is None:
        return found
    try:
        read = from_json(config, allow_inf_nan=False) if isinstance(config, str) else None
        given = read.get("parameters", {}) if isinstance(read, dict) else None
        if read is None or given is None or set(read) - {"parameters", "name"}:
            raise ValueError
        return found | {name: str(value["string_value"]) for name, value in given.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequestError(
            'config is a JSON text as {"parameters": {"gmacs": {"string_value": "0.25"}}}; '
            "nothing else of a model's configuration can be changed"
        ) from error


def _text(value: Parameter) -> str:
    return value if isinstance(value, str) else to_json(value, inf_nan_mode="constants").decode()
