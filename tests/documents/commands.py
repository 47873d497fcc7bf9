"""The commands of shell blocks: which can run in a test, and what is checked of the others."""

import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from service.cli import app as slimdial
from tests.documents.blocks import ROOT
from training.cli import app as slimdial_train

MINUTES = "takes minutes to hours"
INSTALLS = "installs packages; the tests of a fresh environment do"
NOT_RUN = {
    "docker": "needs a Docker engine",
    "kubectl": "needs a cluster",
    "torchrun": "needs GPUs",
    "pip": INSTALLS,
    "python3 -m venv": INSTALLS,
    "python -m benchmarks": MINUTES,
    "python -m mkdocs": "builds the site, as a test of its own does",
    "python -m tests": "runs this test",
    "slimdial serve": "runs until it is stopped; tests of the service start it",
    "slimdial profile": "takes a minute",
    "slimdial-train train": MINUTES,
    "slimdial-train predictor": MINUTES,
    "slimdial-train publish": MINUTES,
    "slimdial-train evaluate": MINUTES,
    "perf_analyzer": "is no dependency, and needs libraries of Debian",
}
"""Beginnings of commands that no test runs, and why. What can be checked of them is."""

_SEPARATORS = ";|&()\n"
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


def commands(script: str) -> Iterator[list[str]]:
    """The commands of a script, as words; programs without the folder they are in."""
    text = _COMMENT.sub("", script.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace, lexer.commenters = " \t", ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(_SEPARATORS):
            if words:
                yield words
            words = []
        else:
            words.append(word.rpartition("/")[2] if not words else word)


def why_not_run(script: str) -> str | None:
    """Why a script is not run; None if it is."""
    for words in commands(script):
        for beginning, reason in NOT_RUN.items():
            if begins(words, beginning):
                return f"{beginning}: {reason}"
    return None


def begins(words: list[str], beginning: str) -> bool:
    """Whether a command begins with these words; the last may be the beginning of a module."""
    *first, last = beginning.split()
    count = len(first)
    if words[:count] != first or len(words) <= count:
        return False
    return words[count] == last or words[count].startswith(f"{last}.")


def problems(words: list[str]) -> list[str]:
    """Options that a command of the project does not have, and files that do not exist."""
    parser, rest = _parser(words)
    missing = [w for w in words if w.startswith(("docker/", "docs/")) and not (ROOT / w).exists()]
    found = [f"{path} does not exist" for path in missing]
    if parser is None:
        return found
    known = {option for p in parser.params for option in (*p.opts, *p.secondary_opts)}
    for word in rest:
        option = word.partition("=")[0]
        if option.startswith("-") and option not in {*known, "--help"}:
            found.append(f"{' '.join(words)}: no option {option}")
    return found


def _parser(words: list[str]) -> tuple[Any, list[str]]:
    """The click command that reads a command's options, and the words that it reads."""
    if words[0] == "slimdial":
        return _subcommand(slimdial, words[1:])
    if words[0] == "slimdial-train":
        return _subcommand(slimdial_train, words[1:])
    if words[0] == "torchrun" and "training" in words:
        return _subcommand(slimdial_train, words[words.index("training") + 1 :])
    if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
        return _benchmark(words[2], words[3:])
    return None, []


def _subcommand(app: typer.Typer, words: list[str]) -> tuple[Any, list[str]]:
    group: Any = typer.main.get_command(app)
    return group.commands[words[0]], words[1:]


def _benchmark(name: str, words: list[str]) -> tuple[Any, list[str]]:
    if (ROOT / Path(*name.split("."))).is_dir():
        name = f"{name}.__main__"
    module = importlib.import_module(name)
    if hasattr(module, "app"):
        return _subcommand(module.app, words)
    if not {p.annotation for p in inspect.signature(module.main).parameters.values()}:
        return None, []
    app = typer.Typer()
    app.command()(module.main)
    return typer.main.get_command(app), words
