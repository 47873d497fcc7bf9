"""Checkpoints: written whole or not at all, read without running what they hold."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from training import checkpoint


def state(value: float) -> dict[str, object]:
    return {"network": {"weight": torch.full((100,), value)}, "epoch": 3}


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "checkpoint.pt"
    checkpoint.save(path, state(1.5))
    loaded = checkpoint.load(path)
    assert loaded["epoch"] == 3
    assert torch.equal(loaded["network"]["weight"], torch.full((100,), 1.5))
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.pt"]


def test_an_interrupted_save_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, state(1.0))
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        checkpoint.save(path, state(2.0) | {"unwritable": lambda: None})
    assert checkpoint.load(path)["network"]["weight"][0] == 1.0
    checkpoint.save(path, state(3.0))
    assert checkpoint.load(path)["network"]["weight"][0] == 3.0


def test_a_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(ValueError, match=r"checkpoint\.pt does not exist; train first"):
        checkpoint.load(path)


@pytest.mark.parametrize("kept", [0, 1, 50, 1000, -1])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, state(1.0))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a readable checkpoint"):
        checkpoint.load(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path, target = tmp_path / "checkpoint.pt", tmp_path / "touched"
    torch.save({"network": Malicious(target)}, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a readable checkpoint"):
        checkpoint.load(path)
    assert not target.exists()


@pytest.mark.parametrize("content", [{"weights": 1}, [1, 2]])
def test_another_programs_file_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a slimdial checkpoint"):
        checkpoint.load(path)
