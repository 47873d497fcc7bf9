"""What the documents show works as it stands.

Blocks of a page run in their order, in one folder, against a service with the models that ship;
the examples name port 8000, which is replaced. A block with a title is a file of that name. What no
test runs is listed, with the reason, in CONTRIBUTING.md; what it names is checked all the same.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.documents.blocks import DOCUMENTS, ROOT, Block, blocks, inline
from tests.documents.commands import begins, can_run, commands, not_run, problems
from tests.service.process import shipped
from training.data.load import load
from training.own import FILE, own, read_spec

READ: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
"""Languages of data, of which a block must at least be well-formed."""

SHOWN = frozenset({"text"})
"""What is only looked at: output, and trees of files."""

ELSEWHERE = {
    "docs/security.md": "tests/test_security_document.py",
    "docs/tutorial.md": "benchmarks/tutorial.py",
}
"""Pages whose examples need a service of their own, and what runs them."""

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def is_run(block: Block) -> bool:
    if block.document in ELSEWHERE:
        return False
    if block.language == "python":
        return block.title is None
    return block.language == "sh" and can_run(block.text)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shipped(tmp_path_factory.mktemp("data")) as url:
        yield url.removeprefix("http://")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the project's files as the examples name them."""
    for name in ("model_store", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".curlrc").write_text("fail-with-body\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(script: str) -> str:
    """Runs a script here, where its imports are already there; what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, "<example>", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def run_shell(script: str, folder: Path) -> str:
    """Runs a script as a reader would; what it printed."""
    # slimdial as python -m: it need not be installed for this checkout.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/local/bin"
    own = {"PYTHONPATH": str(ROOT), "PATH": path, "HOME": str(folder), "CURL_HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **own, "XDG_DATA_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said
    return said


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if any(map(is_run, blocks(d)))])
def test_the_examples_of_a_page_work(document: str, folder: Path, address: str) -> None:
    for block in blocks(document):
        if block.title is not None:
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif is_run(block):
            script = block.text.replace("localhost:8000", address)
            said = run_python(script) if block.language == "python" else run_shell(script, folder)
            written = [words[words.index("-o") + 1] for words in _writing(block)]
            assert said or written, f"{block.name} shows nothing"
            for name in written:
                assert (folder / name).stat().st_size > 100, name


def test_the_data_of_the_tutorial_are_what_training_reads(folder: Path) -> None:
    files = {b.title: b.text for b in blocks("docs/tutorial.md") if b.title is not None}
    assert "120 pictures" in run_python(files["make_discs.py"])
    data = folder / "discs"
    (data / FILE).write_text(files[f"discs/{FILE}"])
    sets = load(own(data), data)
    batch = sets.train.batch(torch.arange(4))
    assert len(sets.train) + len(sets.validation) + len(sets.test) == 120
    assert set(batch.targets["disc"].flatten().tolist()) == {0, 1}
    assert set(batch.targets["colour"].tolist()) <= {0, 1, 2}


def _writing(block: Block) -> list[list[str]]:
    return [w for w in commands(block.text) if "-o" in w] if block.language == "sh" else []


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in READ], ids=lambda b: b.name)
def test_data_are_well_formed(block: Block, tmp_path: Path) -> None:
    assert READ[block.language](block.text)
    if block.title is not None and block.title.endswith(FILE):
        (tmp_path / FILE).write_text(block.text)
        read_spec(tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_name_what_there_is(document: str) -> None:
    scripts = [b.text for b in blocks(document) if b.language == "sh"]
    programs = ("slimdial ", "slimdial-train ", "python -m ", "docker ", "kubectl ")
    named = [c for c in inline(document) if c.startswith(programs) and c not in not_run()]
    found = [problems(words) for script in [*scripts, *named] for words in commands(script)]
    assert [p for each in found for p in each] == []


def test_every_block_says_what_it_is() -> None:
    known = {"sh", "python", *READ, *SHOWN}
    assert [b.name for b in BLOCKS if b.language not in known] == []


def test_every_reason_not_to_run_something_is_needed() -> None:
    shown = [w for b in BLOCKS if b.language == "sh" for w in commands(b.text)]
    assert {r for r in not_run() if not any(begins(words, r) for words in shown)} == set()
