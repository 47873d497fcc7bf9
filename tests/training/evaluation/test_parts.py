"""Finished parts are kept, and made again when what they depend on has changed."""

from pathlib import Path

import pytest

from training.evaluation.parts import Parts
from training.evaluation.results import Parity
from training.ranks import Ranks


def part(checks: int) -> Parity:
    return Parity(checks=checks, tolerance=1e-4, largest_error=1 / 3, failure=None)


def test_a_part_is_made_once(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", Ranks())
    assert parts.get("parity", ["digest", 1], Parity, lambda: part(6)) == part(6)
    assert parts.get("parity", ["digest", 1], Parity, lambda: part(7)) == part(6)


def test_a_part_of_something_else_is_made_again(tmp_path: Path) -> None:
    parts = Parts(tmp_path, Ranks())
    parts.get("parity", ["digest", 1], Parity, lambda: part(6))
    assert parts.get("parity", ["digest", 2], Parity, lambda: part(7)) == part(7)
    assert parts.get("parity", ["digest", 2], Parity, lambda: part(8)) == part(7)


@pytest.mark.parametrize("content", ["", "{}", '{"key": 3}', "hello"])
def test_foreign_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "parity.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"parity\.json is not part of an evaluation; move it away"
    ):
        Parts(tmp_path, Ranks()).get("parity", [], Parity, lambda: part(6))
