"""Links between documents, so that the same file reads well in the repository and on the site.

A document of the site is a page of ``docs/``, or a file of the repository's root that has a page
of its own. A link to any other file of the repository leads to a page that shows that file.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = "docs"
SOURCE = "source"
"""Folder of the site that shows files of the repository."""

ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "NOTICE": "notice.md",
    "SECURITY.md": "reporting.md",
}
"""Files of the repository's root that are pages of the site."""

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A page of the site and where its text comes from, both with forward slashes."""

    page: str
    """In the site, such as ``how-to/gpus.md``."""
    file: str
    """In the repository, such as ``docs/how-to/gpus.md`` or ``README.md``."""


def page_of(file: str) -> str:
    """The page of the site that a file of the repository is found on."""
    if file in ROOT_PAGES:
        return ROOT_PAGES[file]
    if file.startswith(f"{DOCS}/"):
        return file.removeprefix(f"{DOCS}/")
    return f"{SOURCE}/{file}.md"


def linked(text: str, document: Document) -> Iterator[str]:
    """The files of the repository that a document links to."""
    for found in _LINK.finditer(_FENCE.sub("", text)):
        yield _target(document, found["path"])


def for_site(text: str, document: Document, root: Path) -> str:
    """A document's text with its links as the site needs them; links to nothing stay as they are.

    Args:
        text: Markdown, with links as they work in the repository.
        document: where it is.
        root: the repository.
    """

    def replaced(found: re.Match[str]) -> str:
        target = _target(document, found["path"])
        if not (root / target).exists():
            return found[0]
        path = posixpath.relpath(page_of(target), posixpath.dirname(document.page) or ".")
        return path + (found["anchor"] or "")

    return _LINK.sub(replaced, text)


def shown(root: Path, file: str) -> str:
    """The page that shows a file of the repository, or lists a folder."""
    path = root / file
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {file}\n\n"
    if path.is_dir():
        return head + "".join(f"- `{p.name}`\n" for p in sorted(path.iterdir()))
    language = {".py": "python", ".js": "js", ".yml": "yaml", ".yaml": "yaml", ".json": "json"}
    fence = "`" * 5
    return f"{head}{fence}{language.get(path.suffix, 'text')}\n{path.read_text()}\n{fence}\n"


def _target(document: Document, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(document.file), link))
