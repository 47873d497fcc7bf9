"""What docs/security.md shows works as it stands, from its first command to its last."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.blocks import ROOT, blocks
from tests.service.certificates import needs_openssl

EXPECTED = (
    "camera-3",  # key list
    '{"status":"ready"}',
    '"default":true',  # models, with the key of the camera
    "a key is needed",
    "'camera-3' does not have the scope 'subnet'",
    "revoked camera-3",
    "may have been revoked",
    "rooms: 1 dials",  # warm
    "'cache': ",  # the last line of the log
)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@needs_openssl
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_service_is_locked_as_the_document_says(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    python = shlex.quote(sys.executable)
    for name, command in (("slimdial", f"{python} -m service.cli"), ("python3", python)):
        (commands / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (commands / name).chmod(0o755)
    port = free_port()
    shown = [block.text for block in blocks("docs/security.md") if block.language == "sh"]
    examples = "\n".join(shown).replace("8000", str(port))
    script = f"trap 'kill -INT $! && wait $!' EXIT\n{examples}"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SLIMDIAL_PORT": str(port),
            "SLIMDIAL_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    place = 0
    for words in EXPECTED:
        place = done.stdout.find(words, place)
        assert place >= 0, (words, done.stdout, done.stderr)
    assert (tmp_path / "metrics.txt").read_text().startswith("# HELP")
