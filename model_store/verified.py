"""Reading the files of a published model, none of which is trusted.

Every reader checks the size and the digest that the manifest states before it looks inside, never
unpickles, and answers anything odd with a :class:`ModelError` that names the file and the reason.
"""

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError

from model_store.manifest import FileDigest, Manifest

SMALL_FILE = 64 << 20
"""The size in bytes up to which a file is read into memory; only weights may be larger."""

CALIBRATION_BYTES = 1 << 30
"""The most bytes that calibration images may take in memory."""


class ModelError(Exception):
    """A published model is corrupt, truncated, tampered with, of another version, or absent."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason

    @property
    def brief(self) -> str:
        """The same without the folder, which is nobody's business but the owner's."""
        return f"{self.file.name}: {self.reason}"


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Turns what reading a file may raise into a :class:`ModelError` that names the file."""
    try:
        yield
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise ModelError(file, "is missing") from error
    except OSError as error:
        raise ModelError(file, f"cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise ModelError(file, _validation_reason(error)) from error
    except DecodeError as error:
        raise ModelError(file, "is not an ONNX model") from error
    except (zipfile.BadZipFile, SafetensorError, ValueError, KeyError, EOFError) as error:
        raise ModelError(file, str(error)) from error
    # Parsers of hostile bytes raise what they like, and one odd model must not keep the rest away.
    except Exception as error:
        raise ModelError(file, f"cannot be read: {error}") from error


def _validation_reason(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [".".join(map(str, p["loc"])) + ": " + p["msg"] for p in problems[:3]]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(shown).removeprefix(": ") + more


def read_small(file: Path, limit: int = SMALL_FILE) -> bytes:
    """The bytes of a plain file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a plain file, or larger than the limit in bytes.
    """
    size = _plain(file).st_size
    if size > limit:
        raise ValueError(f"has {size} bytes, more than the limit of {limit}")
    return file.read_bytes()


def read_manifest(file: Path) -> tuple[Manifest, str]:
    """The manifest and the SHA-256 of its bytes, which is the digest of the model version."""
    with naming(file):
        content = read_small(file)
        found = _json_object(content)
        # Asked first: a newer schema would otherwise be reported as so many unknown fields.
        Manifest.check_schema_version(found.get("schema_version"))
        return Manifest.model_validate_json(content), hashlib.sha256(content).hexdigest()


def read_verified(file: Path, expected: FileDigest) -> bytes:
    """The bytes of a small file, which are what the manifest says.

    Raises:
        ModelError: the file is missing, not a plain file, or another one.
    """
    with naming(file):
        content = read_small(file)
        _check_digest(content, expected)
        return content


def read_json(file: Path, expected: FileDigest) -> dict[str, Any]:
    """A JSON object without NaN or infinities, which JSON does not have."""
    with naming(file):
        return _json_object(read_verified(file, expected))


def read_tensors(file: Path, expected: FileDigest) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file."""
    with naming(file):
        return safetensors.numpy.load(read_verified(file, expected))


def read_onnx(file: Path, expected: FileDigest) -> onnx.ModelProto:
    """An ONNX model; external data is not looked for."""
    with naming(file):
        model = onnx.ModelProto()
        model.ParseFromString(read_verified(file, expected))
        return model


@dataclass(frozen=True, eq=False)
class MappedFile:
    """A file mapped into memory, read-only, and what it was like then."""

    file: Path
    bytes: NDArray[np.uint8]
    _then: os.stat_result

    @classmethod
    def of(cls, file: Path, expected: FileDigest) -> "MappedFile":
        """Maps a file, and checks that what is mapped is what the manifest says."""
        with naming(file):
            then = _plain(file)
            mapped = np.asarray(np.memmap(file, dtype=np.uint8, mode="r"))
            _check_digest(mapped.data, expected)
            return cls(file, mapped, then)

    def check(self) -> None:
        """Asks whether what is mapped is still what was verified.

        A file that was deleted or replaced lives on in this process. One that was written to is
        another one, and reading what was cut off from it would end the process.

        Raises:
            ModelError: it was written to.
        """
        try:
            now = self.file.stat()
        except OSError:
            return
        same = (now.st_dev, now.st_ino) == (self._then.st_dev, self._then.st_ino)
        if same and (now.st_size, now.st_mtime_ns) != (self._then.st_size, self._then.st_mtime_ns):
            raise ModelError(
                self.file,
                "was written to while it is served, and versions are immutable: publish a new one "
                "beside it, and restart",
            )


def read_images(
    file: Path, expected: FileDigest, shape: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """The array ``images`` of an npz file: uint8 [N, H, W, 3] of exactly this shape.

    The header is held against the expected shape before the pixels are unpacked, so that a small
    file cannot ask for much memory; object arrays are never unpickled.
    """
    with naming(file), zipfile.ZipFile(io.BytesIO(read_verified(file, expected))) as archive:
        if archive.namelist() != ["images.npy"]:
            raise ValueError(f"one array 'images' expected, found {archive.namelist()[:5]}")
        pixels = int(np.prod(shape, dtype=object))
        if pixels > CALIBRATION_BYTES:
            raise ValueError(f"{pixels} bytes of images exceed the limit of {CALIBRATION_BYTES}")
        return _array(archive, "images", shape, np.dtype(np.uint8))


def read_arrays(
    file: Path, expected: FileDigest, arrays: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file: some of these names, of exactly these shapes and types.

    As careful as :func:`read_images`; the caller sees to it that the shapes are small.
    """
    with naming(file), zipfile.ZipFile(io.BytesIO(read_verified(file, expected))) as archive:
        names = [n.removesuffix(".npy") for n in archive.namelist()]
        if unknown := sorted(set(names) - set(arrays)):
            raise ValueError(f"arrays of {sorted(arrays)} expected, found {unknown[:5]}")
        return {name: _array(archive, name, *arrays[name]) for name in names}


def _array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError("an array in npy format 1.0 expected")
        found = np.lib.format.read_array_header_1_0(member)
        if found != (shape, False, dtype):
            raise ValueError(f"{dtype} {name} {shape} expected, found {found[2]} {found[0]}")
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        content = member.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{size} bytes of {name} expected, found {len(content)}")
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def _json_object(content: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        found = json.loads(content, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("a JSON object expected")
    return found


def _check_digest(content: bytes | memoryview, expected: FileDigest) -> None:
    if len(content) != expected.bytes:
        raise ValueError(f"has {len(content)} bytes, the manifest says {expected.bytes}")
    found = hashlib.sha256(content).hexdigest()
    if found != expected.sha256:
        raise ValueError(f"has digest {found}, the manifest says {expected.sha256}")


def _plain(file: Path) -> os.stat_result:
    # A link could point outside of the model, and a pipe would block for good.
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a plain file")
    return status
