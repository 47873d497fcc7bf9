"""What a request is called: by its client, where that is well formed, or by the service."""

import re
import secrets

from starlette.types import Scope

ID_HEADER = "X-Request-ID"
RAW_ID = ID_HEADER.lower().encode()

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def id_of(scope: Scope) -> str:
    """The id that a request brings, or a new one."""
    for name, value in scope["headers"]:
        if name == RAW_ID and _WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    return new_id()


def new_id() -> str:
    """Of a request that brings none."""
    return secrets.token_hex(16)
