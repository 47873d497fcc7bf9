"""``slimdial key``, and the file behind it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.security.key_file import change_keys, read_keys
from service.security.keys import Keys, KeysError
from tests.service.process import ROOT


def key(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["key", *arguments])


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    at = ["--file", str(file)]
    made = key("new", "ci", "--scope", "subnet", "--scope", "predict", *at)
    assert made.exit_code == 0
    (line,) = made.stdout.splitlines()  # the key and nothing else, for $(...)
    found = read_keys(file).find(line)
    assert found is not None
    assert found.scopes == ("predict", "subnet")

    assert key("new", "dashboards", "--scope", "metrics", *at).exit_code == 0
    listed = json.loads(key("list", "--json", *at).stdout)["keys"]
    assert [(k["name"], k["scopes"]) for k in listed] == [
        ("ci", ["predict", "subnet"]),
        ("dashboards", ["metrics"]),
    ]
    for shown in (key("list", *at).stdout, json.dumps(listed)):
        assert "dashboards" in shown
        assert found.sha256 not in shown

    assert key("revoke", "ci", *at).exit_code == 0
    assert read_keys(file).find(line) is None
    assert [k.name for k in read_keys(file).keys] == ["dashboards"]


def test_mistakes_are_told_and_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    at = ["--file", str(file)]
    key("new", "ci", "--scope", "predict", *at)
    before = file.read_bytes()
    for arguments, says in (
        (["new", "ci", "--scope", "predict"], "already"),
        (["new", "other", "--scope", "root"], "predict, subnet, metrics"),
        (["new", "other"], "--scope"),
        (["new", "No Name", "--scope", "predict"], "name"),
        (["revoke", "other"], "known are: ci"),
    ):
        refused = key(*arguments, *at)
        assert refused.exit_code != 0
        assert says in refused.stderr
        assert "Traceback" not in refused.output
    assert file.read_bytes() == before
    assert key("list", "--file", str(tmp_path / "none")).exit_code == 1
    file.write_bytes(b"junk")
    refused = key("new", "other", "--scope", "predict", *at)
    assert refused.exit_code == 1
    assert "not a file of API keys" in refused.stderr
    assert file.read_bytes() == b"junk"


def test_the_file_is_its_owner_s_unless_the_owner_has_said_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key("new", "a", "--scope", "predict", "--file", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    key("new", "b", "--scope", "predict", "--file", str(file))
    assert file.stat().st_mode & 0o777 == 0o640
    assert [f.name for f in tmp_path.iterdir()] == ["keys.json"]


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


@as_root
def test_root_leaves_the_file_to_the_user_of_the_service(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key("new", "a", "--scope", "predict", "--file", str(file))
    os.chown(file, 65_534, 65_533)
    assert key("revoke", "a", "--file", str(file)).exit_code == 0
    found = file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65_534, 65_533, 0o600)


@as_root
def test_a_file_that_cannot_be_given_back_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: int) -> None:
        raise PermissionError

    file = tmp_path / "keys.json"
    key("new", "a", "--scope", "predict", "--file", str(file))
    os.chown(file, 65_534, 65_534)
    before = file.read_bytes()
    monkeypatch.setattr(os, "fchown", forbidden)
    refused = key("revoke", "a", "--file", str(file))
    assert refused.exit_code == 1
    assert "keys.json is of user 65534" in refused.stderr
    assert file.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["keys.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "keys.json"
    link.symlink_to(tmp_path / "real" / "keys.json")
    key("new", "a", "--scope", "predict", "--file", str(link))
    assert link.is_symlink()
    assert len(read_keys(link).keys) == 1


_ADD = """
import sys
from pathlib import Path
from service.security.key_file import change_keys
for i in range(10):
    name = f"{sys.argv[2]}-{i}"
    change_keys(Path(sys.argv[1]), lambda k: k.with_new(name, ["predict"], "2026-01-01"))
"""


def test_no_change_is_lost_where_many_change_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    command = [sys.executable, "-c", _ADD, str(file)]
    adding = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    while any(process.poll() is None for process in adding):
        if file.exists():
            read_keys(file)  # whole, whenever it is looked at
    assert [process.returncode for process in adding] == [0, 0, 0]
    assert len(read_keys(file).keys) == 30


def test_a_change_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    def fails(_: Keys) -> tuple[Keys, None]:
        raise KeysError("no")

    with pytest.raises(KeysError):
        change_keys(tmp_path / "keys.json", fails)
    assert list(tmp_path.iterdir()) == []
