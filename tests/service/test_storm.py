"""Broken bodies and every case that schemathesis makes; `storm.py` sends many more."""

from tests.service.process import Process
from tests.service.storm import answers, schemathesis, storm_over


def test_broken_bodies_are_refused_as_documented_and_change_nothing(battered: Process) -> None:
    before = list(answers(battered.url))
    storm = storm_over(battered.url)
    storm.run(500)
    assert storm.wrong == []
    assert storm.statuses.total() == 500
    assert list(answers(battered.url)) == before


def test_what_schemathesis_sends_is_answered_as_documented_and_changes_nothing(
    battered: Process,
) -> None:
    before = list(answers(battered.url))
    assert schemathesis(battered.url, "coverage", examples=1) == ""
    assert list(answers(battered.url)) == before
