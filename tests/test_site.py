"""The documentation as a site: it builds without a warning, and needs nothing from outside."""

import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from playwright.sync_api import expect

from service.app import create_app
from service.settings import Settings
from tests.browser import chromium
from tests.documents.blocks import DOCUMENTS, ROOT
from website.links import Document, for_site, linked

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
"""What a browser fetches by itself, with the attribute that says where; links have a say of their
own by what they are for."""
FETCHED = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "dns-prefetch", "manifest"}


class Addresses(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in LOADED:
            self.found.append(values.get(LOADED[tag], ""))
        if tag == "link" and set(values.get("rel", "").split()) & FETCHED:
            self.found.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
    # What plugins of MkDocs are warned of by Python is theirs; MkDocs' own warnings are errors.
    with warnings.catch_warnings(action="ignore"):
        build(config)
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        addresses = Addresses()
        addresses.feed(page.read_text())
        assert addresses.found
        assert [a for a in addresses.found if "//" in a] == [], page
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text().replace('"', "").replace("'", "")


def test_search_works_where_pages_are_opened_as_files(site: Path) -> None:
    with chromium() as browser:
        page, loaded = browser.new_page(), list[str]()
        page.on("request", lambda request: loaded.append(request.url))
        page.goto((site / "index.html").as_uri())
        box = page.get_by_role("textbox", name="Search")
        for term, title in {"Erlang": "Capacity", "InfeasibleBudgetError": "Python client"}.items():
            box.fill(term[:-1])
            box.press_sequentially(term[-1])  # the page searches when a key is let go
            expect(page.locator(".md-search-result h1").first).to_have_text(title)
        assert [u for u in loaded if not u.startswith(("file:", "data:", "about:"))] == []


def test_the_http_reference_has_every_route(site: Path, tmp_path: Path) -> None:
    page = (site / "reference" / "http.html").read_text()
    for path, methods in create_app(Settings(data_dir=tmp_path)).openapi()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere_in_the_repository_too(document: str) -> None:
    targets = linked((ROOT / document).read_text(), Document("", document))
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_a_link_leads_to_the_same_document_in_both_places() -> None:
    readme = Document("index.md", "README.md")
    assert for_site("[a](docs/service.md#load)", readme, ROOT) == "[a](service.md#load)"
    page = Document("how-to/gpus.md", "docs/how-to/gpus.md")
    assert for_site("[a](../../README.md)", page, ROOT) == "[a](../index.md)"
    shown = for_site("[a](../../training/recipe.py)", page, ROOT)
    assert shown == "[a](../source/training/recipe.py.md)"
    assert for_site("[a](https://example.org)", page, ROOT) == "[a](https://example.org)"
    assert list(linked("[a](../x.md)\n```sh\n[b](c)\n```\n", page)) == ["docs/x.md"]
