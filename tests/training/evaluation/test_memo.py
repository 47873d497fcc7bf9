"""Measured sub-networks outlive the process that measured them."""

from pathlib import Path

import pytest

from tests.training.tiny import classifying
from training.evaluate import Quality
from training.evaluation.memo import Memo
from training.ranks import Ranks
from training.supernet import search_space

SPACE = search_space(classifying().network)
SMALL, LARGE = SPACE.smallest(), SPACE.largest()
FOUND = Quality({"animals": 0.25, "flowers": 1 / 3}, {"animals": 0.5, "flowers": 1.0})


def memo(path: Path) -> Memo:
    return Memo(path, Ranks())


def test_what_was_measured_is_remembered_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "new" / "measured.jsonl"
    memo(path).add("key", SMALL, FOUND)
    again = memo(path)
    assert again.get("key", SMALL) == FOUND
    assert again.get("key", LARGE) is None


def test_other_keys_are_other_measurements(tmp_path: Path) -> None:
    path = tmp_path / "measured.jsonl"
    memo(path).add("key", SMALL, FOUND)
    other = memo(path)
    assert other.get("other", SMALL) is None
    other.add("other", SMALL, Quality({}, {}))
    assert memo(path).get("key", SMALL) == FOUND


def test_half_a_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "measured.jsonl"
    memo(path).add("key", SMALL, FOUND)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    again = memo(path)
    again.add("key", LARGE, FOUND)
    assert memo(path).get("key", LARGE) == memo(path).get("key", SMALL) == FOUND


@pytest.mark.parametrize("line", ["{}", "hello", "[]", '{"key": 1, "channels": 2}'])
def test_foreign_files_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "measured.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(ValueError, match="line 1, is not a measured sub-network") as caught:
        memo(path)
    assert "move the file away" in str(caught.value)
