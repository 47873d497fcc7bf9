"""Tables for people and machines."""

import csv
import io

import pytest

from training.evaluation.tables import Table

TABLE = Table.of("t", "A title", ["task", "x"], [["a|b", 1 / 3], ["c", None], ["d", 7]])


def test_people_read_four_digits_and_dashes() -> None:
    assert TABLE.markdown().splitlines() == [
        "**A title**",
        "",
        "| task | x |",
        "|---|---|",
        "| a\\|b | 0.3333 |",
        "| c | – |",
        "| d | 7 |",
    ]


def test_machines_read_every_digit() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [["task", "x"], ["a|b", repr(1 / 3)], ["c", ""], ["d", "7"]]
    assert TABLE.json()["rows"][0] == {"task": "a|b", "x": 1 / 3}


def test_rows_are_as_long_as_the_heading() -> None:
    with pytest.raises(ValueError, match="2 cells in each row"):
        Table.of("t", "A title", ["task", "x"], [["a"]])
