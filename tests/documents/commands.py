"""The commands of shell blocks: which can run in a test, and what is checked of the others."""

import importlib.util
import inspect
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
import typer.main
import yaml

from service.cli import app as slimdial
from tests.documents.blocks import ROOT, rows
from training.cli import app as slimdial_train

_SEPARATORS = ";|&()\n"
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_WORD_OF_SHELL = frozenset(("do", "done", "then", "else", "fi", "if", "until", "while", "{", "}"))
_ASSIGNMENT = re.compile(r"\w+=")
_FOLDERS = ("benchmarks/", "docker/", "docs/", "model_store/", "service/", "tests/", "training/")
_MADE = ("docker/secrets", "benchmarks/results")
"""What commands of the documents make themselves."""


@cache
def not_run() -> list[str]:
    """Beginnings of commands that no test runs: the table in CONTRIBUTING.md, which says why.

    What can be checked of them without running them is, by :func:`problems`.
    """
    table = rows("CONTRIBUTING.md", ("a command that begins with", "why"))
    return [beginning.strip("`") for beginning, _ in table]


def commands(script: str) -> Iterator[list[str]]:
    """The commands of a script, as words.

    Programs come without the folder they are in, and without assignments and words of the shell
    before them.
    """
    text = _COMMENT.sub("", script.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace, lexer.commenters = " \t", ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(_SEPARATORS):
            if words:
                yield words
            words = []
        elif words:
            words.append(word)
        elif word not in _WORD_OF_SHELL and not _ASSIGNMENT.match(word):
            words.append(word.rpartition("/")[2])


def can_run(script: str) -> bool:
    """Whether a test can run all commands of a script."""
    return not any(begins(words, b) for words in commands(script) for b in not_run())


def begins(words: list[str], beginning: str) -> bool:
    """Whether a command begins with these words; the last may be the beginning of a module."""
    *first, last = beginning.split()
    count = len(first)
    if words[:count] != first or len(words) <= count:
        return False
    return words[count] == last or words[count].startswith(f"{last}.")


def problems(words: list[str]) -> list[str]:
    """What a command names that does not exist: files, options, modules, extras, services."""
    checks = (_paths, _options, _module, _extras, _image, _compose)
    return [f"{' '.join(words)}: {problem}" for check in checks for problem in check(words)]


def _paths(words: list[str]) -> Iterator[str]:
    for word in words[1:]:
        path = word.partition("=")[2] or word
        here = path.startswith(_FOLDERS) and not path.startswith(_MADE) and "*" not in path
        if here and not (ROOT / path.partition("$")[0]).exists():
            yield f"{path} does not exist"


def _options(words: list[str]) -> Iterator[str]:
    parser, rest = _parser(words)
    if parser is not None:
        known = {option for p in parser.params for option in (*p.opts, *p.secondary_opts)}
        for word in rest:
            option = word.partition("=")[0]
            if option.startswith("-") and option not in {*known, "--help"}:
                yield f"there is no option {option}"


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
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    return command, words


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


def _module(words: list[str]) -> Iterator[str]:
    module = words[2] if words[0].startswith("python") and words[1:2] == ["-m"] else "sys"
    if importlib.util.find_spec(module) is None:
        yield f"there is no module {module}"


def _extras(words: list[str]) -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in words if words[0] == "pip" else ():
        if found := re.fullmatch(r"\.\[(.+)\]", word):
            for extra in set(found[1].split(",")) - set(project["optional-dependencies"]):
                yield f"there is no extra {extra}"


def _image(words: list[str]) -> Iterator[str]:
    """Build arguments that the Dockerfile does not take."""
    if words[:2] == ["docker", "build"]:
        lines = (ROOT / words[words.index("-f") + 1]).read_text().splitlines()
        known = {line[4:].partition("=")[0] for line in lines if line.startswith("ARG ")}
        given = {words[i + 1].partition("=")[0] for i, w in enumerate(words) if w == "--build-arg"}
        for name in given - known:
            yield f"the Dockerfile takes no {name}"


def _compose(words: list[str]) -> Iterator[str]:
    """Services and profiles that the compose file does not have."""
    if words[:2] == ["docker", "compose"]:
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        profiles = {p for service in services.values() for p in service.get("profiles", ())}
        for option, value in itertools.pairwise(words):
            if option == "--scale" and value.partition("=")[0] not in services:
                yield f"there is no service {value}"
            if option == "--profile" and value not in profiles:
                yield f"there is no profile {value}"
