"""The code blocks of the documents."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

DOCUMENTS = (
    *(f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")),
)

_BLOCK = re.compile(r"^```(?P<info>.*)\n(?P<text>(?:.*\n)*?)^```$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`(?P<text>[^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    document: str
    line: int
    language: str
    title: str | None
    """The file that the block is the content of."""
    text: str

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return f"{self.document}:{self.line}"


def blocks(document: str) -> list[Block]:
    """The blocks of a document, in order."""
    whole = (ROOT / document).read_text()
    found = []
    for match in _BLOCK.finditer(whole):
        language, _, options = match["info"].partition(" ")
        title = _TITLE.search(options)
        line = whole.count("\n", 0, match.start()) + 1
        found.append(Block(document, line, language, title and title[1], match["text"]))
    return found


def inline(document: str) -> list[str]:
    """What stands between backticks in a document's sentences and tables."""
    text = _BLOCK.sub("", (ROOT / document).read_text())
    return [" ".join(match["text"].split()) for match in _INLINE.finditer(text)]


def rows(document: str, header: tuple[str, ...]) -> list[list[str]]:
    """The cells of the table with this header, without their alignment."""
    lines = (ROOT / document).read_text().splitlines()
    start = lines.index(f"| {' | '.join(header)} |") + 2
    below = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in below]
