"""API keys: what is handed out, and what is kept of it.

A key is 256 random bits, so it cannot be guessed or looked up, and one SHA-256 is all that keeping
it needs: slow hashes are for passwords, and would be paid for with every request.
"""

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Scope = Literal["predict", "subnet", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

PREFIX = "slimdial_"
"""Of every key, so that those who look for leaked secrets know one when they see it."""


class KeysError(Exception):
    """The keys cannot be used; the message says why, and nothing of what they are."""


class Key(BaseModel):
    """A key as it is kept: not the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the key as text, in hexadecimal."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The day."""


class Keys(BaseModel):
    """All keys that are let in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, values in (
            ("name", [k.name for k in self.keys]),
            ("sha256", [k.sha256 for k in self.keys]),
        ):
            if twice := [value for value, count in Counter(values).items() if count > 1]:
                raise ValueError(f"the {what} {twice[0]} stands there twice")
        return self

    @staticmethod
    def read(content: bytes) -> "Keys":
        """From the content of a file.

        Raises:
            KeysError: it is not one of keys.
        """
        try:
            return Keys.model_validate_json(content)
        except ValidationError as error:
            # Without the input: somebody may have put a key itself there.
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "it"
            raise KeysError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None

    def written(self) -> bytes:
        """As the content of a file."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    def find(self, presented: str) -> Key | None:
        """The key that is presented; None if it is none of these.

        The time that it takes says nothing about the keys: digests are compared, in constant time,
        and always with all of them.
        """
        digest, found = _digest(presented), None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def with_new(self, name: str, scopes: Iterable[Scope], created: str) -> "tuple[Keys, str]":
        """These and a new one, and the new key itself, which is not kept.

        Raises:
            KeysError: there is one of this name, or the name or scopes are not ones.
        """
        if any(k.name == name for k in self.keys):
            raise KeysError(f"there is a key named {name!r} already; revoke it first")
        made = PREFIX + secrets.token_urlsafe(32)
        try:
            key = Key(name=name, sha256=_digest(made), scopes=tuple(scopes), created=created)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise KeysError(f"{first['loc'][0]}: {first['msg']}") from None
        return Keys(keys=(*self.keys, key)), made

    def without(self, name: str) -> "Keys":
        """All but one.

        Raises:
            KeysError: there is none of this name.
        """
        if not any(k.name == name for k in self.keys):
            known = ", ".join(k.name for k in self.keys) or "none"
            raise KeysError(f"there is no key named {name!r}; known are: {known}")
        return Keys(keys=tuple(k for k in self.keys if k.name != name))


def _digest(key: str) -> str:
    # Headers are Latin-1; what is no key may hold anything.
    return hashlib.sha256(key.encode("latin-1", "replace")).hexdigest()
