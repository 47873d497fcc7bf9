"""Hooks of MkDocs (``mkdocs.yml``): pages that are generated, and links that fit the site."""

import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website.generated import generated
from website.links import DOCS, ROOT_PAGES, SOURCE, Document, for_site, linked, page_of, shown

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(?=<code)")

PAGE = "service/page"
"""The page of the service, whose look the site has."""

BRAND = {
    "brand/icon.svg": "icon.svg",
    "brand/inter.woff2": "vendor/inter/inter-latin-wght-normal.woff2",
    "brand/plex-mono.woff2": "vendor/ibm-plex-mono/ibm-plex-mono-latin-400-normal.woff2",
}
"""Files of the site, and where they are in :data:`PAGE`."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made here, and what the site shares with the page."""
    root = Path(config.config_file_path).parent
    for name, source in BRAND.items():
        files.append(File.generated(config, name, abs_src_path=str(root / PAGE / source)))
    pages = {page: (root / file).read_text() for file, page in ROOT_PAGES.items()}
    written = list(_documents(files))
    for document in [*written, *(Document(p, f) for f, p in ROOT_PAGES.items())]:
        for target in linked((root / document.file).read_text(), document):
            page = page_of(target)
            if page.startswith(f"{SOURCE}/") and (root / target).exists():
                pages[page] = shown(root, target)
    for page, text in {**pages, **generated()}.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - by name
    """Rewrites the links of documents that are written for the repository."""
    root = Path(config.config_file_path).parent
    uri = page.file.src_uri
    by_page = {p: f for f, p in ROOT_PAGES.items()}
    if page.file.generated_by and uri not in by_page:
        return markdown
    return for_site(markdown, Document(uri, by_page.get(uri, f"{DOCS}/{uri}")), root)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - by name
    """Takes the roles off names in docstrings, which are in the notation of Sphinx."""
    return _ROLE.sub("", html)


def _documents(files: Files) -> Iterator[Document]:
    for file in files.documentation_pages():
        yield Document(file.src_uri, f"{DOCS}/{file.src_uri}")
