"""Broken bodies and every case that schemathesis makes; `storm.py` sends many more."""

import os
from pathlib import Path

from tests.service.process import Process, serving
from tests.service.storm import answers, locked, schemathesis, storm_over


def test_broken_bodies_are_refused_as_documented_and_change_nothing(battered: Process) -> None:
    before = list(answers(battered.url))
    storm = storm_over(battered.url)
    storm.run(500)
    assert storm.wrong == []
    assert storm.statuses.total() == 500
    assert list(answers(battered.url)) == before


def test_what_schemathesis_sends_is_answered_as_documented_and_changes_nothing(
    models_root: Path, tmp_path: Path
) -> None:
    """Of a service that wants API keys, whose document has more in it."""
    file = tmp_path / "keys.json"
    key, environ = locked(file), {**os.environ, "SLIMDIAL_API_KEYS_FILE": str(file)}
    arguments = ["--models-root", str(models_root), "--log-level", "warning"]
    with serving(arguments, tmp_path, environ=environ) as process:
        before = list(answers(process.url, key))
        assert schemathesis(process.url, "coverage", examples=1, key=key) == ""
        assert list(answers(process.url, key)) == before
    assert "Traceback" not in process.text
