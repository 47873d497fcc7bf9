"""What a cache entry looks like: every entry carries the digest that it is checked with on read.

A sealed entry is three lines: fencing token, SHA-256, payload. The digest covers the key, the token
and the payload, so that a truncated, altered or misplaced entry is found out. Payloads are JSON.
"""

import hashlib
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from model_store.subnetwork import SubnetMetadata

_SEALED = re.compile(rb"(\d{1,15})\n([0-9a-f]{64})\n", re.ASCII)


class CorruptEntryError(Exception):
    """A cache entry whose content does not match its digest."""


@dataclass(frozen=True)
class StoredSubnet:
    """A cached sub-network without its weights."""

    metadata: SubnetMetadata
    sha256: str
    """Digest of the ONNX file, in hexadecimal."""
    size: int
    """Bytes of the ONNX file."""


def seal(key: str, payload: bytes, fence: int) -> bytes:
    """The entry that holds ``payload`` under ``key``, written with a fencing token."""
    return b"%d\n%s\n%s" % (fence, _digest(key, payload, fence), payload)


def unseal(key: str, sealed: bytes) -> bytes:
    """The payload of an entry.

    Raises:
        CorruptEntryError: the entry is not one, or its digest does not match.
    """
    head = _SEALED.match(sealed)
    if head is None:
        raise CorruptEntryError(f"{key}: not an entry of this cache")
    payload = sealed[head.end() :]
    if _digest(key, payload, int(head[1])) != head[2]:
        raise CorruptEntryError(f"{key}: the content does not match its digest")
    return payload


def _digest(key: str, payload: bytes, fence: int) -> bytes:
    text = b"%s\n%d\n%s" % (key.encode(), fence, payload)
    return hashlib.sha256(text).hexdigest().encode()


class _Payload(BaseModel):
    """A description as it is written."""

    model_config = ConfigDict(strict=True)

    sha256: str
    bytes: int
    metadata: SubnetMetadata


def dump_subnet(stored: StoredSubnet) -> bytes:
    """The payload that describes a sub-network."""
    payload = _Payload(sha256=stored.sha256, bytes=stored.size, metadata=stored.metadata)
    return payload.model_dump_json().encode()


def load_subnet(key: str, payload: bytes) -> StoredSubnet:
    """Reads :func:`dump_subnet` back.

    Raises:
        CorruptEntryError: the payload has another shape (another version of the project).
    """
    try:
        found = _Payload.model_validate_json(payload)
    except ValidationError as error:
        raise CorruptEntryError(f"{key}: {error}") from error
    return StoredSubnet(found.metadata, found.sha256, found.bytes)
