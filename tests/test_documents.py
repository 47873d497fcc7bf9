"""What the documents show works as it stands, against a service with the models that ship.

The examples name port 8000: curl is told in its configuration where that is, Python in the text.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.process import shipped

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "docs/page.md", "docs/service.md", "docs/protocols.md")


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


SHELL = [(d, b) for d in DOCUMENTS for b in blocks(d, "sh") if "curl " in b]
PYTHON = [(d, b) for d in DOCUMENTS for b in blocks(d, "python")]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shipped(tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path, url: str) -> Path:
    """A folder to work in, with the project's files as the examples name them."""
    (tmp_path / "model_store").symlink_to(ROOT / "model_store")
    address = url.removeprefix("http://")
    (tmp_path / ".curlrc").write_text(f'connect-to = "localhost:8000:{address}"\nfail-with-body\n')
    return tmp_path


def first_line(example: tuple[str, str]) -> str:
    return f"{example[0]}: {example[1].splitlines()[0][:40]}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("example", SHELL, ids=first_line)
def test_curl(example: tuple[str, str], folder: Path) -> None:
    _, script = example
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={"CURL_HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    for name in re.findall(r"-o (\S+)", script):
        assert (folder / name).stat().st_size > 100, name
    assert done.stdout or "-o " in script


@pytest.mark.parametrize("example", PYTHON, ids=first_line)
def test_python(example: tuple[str, str], folder: Path, url: str) -> None:
    _, script = example
    script = script.replace("localhost:8000", url.removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_examples() -> None:
    assert len(SHELL) >= 6
    assert len(PYTHON) >= 3
