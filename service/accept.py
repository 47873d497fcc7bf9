"""Content negotiation: which form of a prediction a client wants."""

from service.errors import NotAcceptableError
from service.prediction import Form

_RANGES: dict[str, Form] = {
    "application/json": "application/json",
    "application/x-npz": "application/x-npz",
    "image/png": "image/png",
    "application/*": "application/json",
    "image/*": "image/png",
    "*/*": "application/json",
}


def negotiate(accept: str) -> Form:
    """The form that an Accept header prefers; of equals the first named. JSON where it is empty.

    Raises:
        NotAcceptableError: it names none that there is.
    """
    if not accept:
        return "application/json"
    best, form = 0.0, None
    for entry in accept.split(","):
        name, *parameters = [p.strip().lower() for p in entry.split(";")]
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if name in _RANGES and quality > best:
            best, form = quality, _RANGES[name]
    if form is None:
        raise NotAcceptableError(
            "answers come as application/json, application/x-npz or image/png (with task=NAME)"
        )
    return form


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
