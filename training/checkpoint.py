"""Training checkpoints: written whole or not at all, read without running code."""

import hashlib
import os
from pathlib import Path
from typing import Any, cast

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint atomically: an interruption leaves the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint.

    Raises:
        ValueError: the file is missing, truncated or not a checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; train first: slimdial-train train") from None
    except Exception as error:
        raise ValueError(f"{path} is not a readable checkpoint: {error}") from error
    if not isinstance(state, dict) or "network" not in state:
        raise ValueError(f"{path} is not a slimdial checkpoint")
    return cast("dict[str, Any]", state)


def digest(path: Path) -> str:
    """The SHA-256 of a checkpoint, which ties what is measured on a network to that network."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
