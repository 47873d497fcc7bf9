"""The API key that a client sends."""

import os
from collections.abc import Mapping

VARIABLE = "SLIMDIAL_API_KEY"


def key_headers(api_key: str | None) -> Mapping[str, str]:
    """The header that carries a key; none without one.

    Args:
        api_key: the key, or that of the environment variable ``SLIMDIAL_API_KEY`` if None.

    Raises:
        ValueError: it is nothing that a header can carry; the message does not repeat it.
    """
    key = (os.environ.get(VARIABLE, "") if api_key is None else api_key).strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(f"the API key (api_key or {VARIABLE}) is not one: it has odd characters")
    return {"authorization": f"Bearer {key}"} if key else {}
