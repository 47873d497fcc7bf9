"""A browser, a service for it to look at, and pages that must not complain."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from model_store.published import ModelStore, default_root
from service.profiles import Profiles, place_of
from service.profiling import Plan, profile
from service.providers import choose_device
from tests.browser import chromium
from tests.service.page.looking import Looking
from tests.service.process import ROOT, serving
from tests.tiny_examples import publish_tiny_with_examples

MAX_PIXELS = 400_000
"""Less than the page scales pictures down to, so that the service can refuse one."""

Open = Callable[..., Looking]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with the models that ship, the tiny one, and another that has been profiled."""
    root, data = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("data")
    for name in ("rooms", "caltech100"):
        (root / name).symlink_to(default_root() / name)
    publish_tiny_with_examples(root)
    publish_tiny_with_examples(root, "timed")
    model, device = ModelStore(root).open("timed"), choose_device("cpu", 1)
    place = place_of(device, "fp32")
    Profiles(data, place).write(model, profile(model, device, place, Plan(8, 1, 1)))
    environ = {**os.environ, "SLIMDIAL_MAX_PIXELS": str(MAX_PIXELS)}
    arguments = ["--models-root", str(root)]
    with serving(arguments, data, environ=environ) as process:
        yield process.url


@contextlib.contextmanager
def visits(browser: Browser, page_url: str) -> Iterator[Open]:
    """Opens the page. In the end nothing was complained about, or loaded from elsewhere."""
    opened: list[tuple[Page, list[str]]] = []

    def open_page(
        model: str = "tiny",
        url: str = page_url,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        prepare: Callable[[Page], None] = lambda _: None,
    ) -> Looking:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        page, complaints = context.new_page(), list[str]()
        opened.append((page, complaints))
        watch(page, url, complaints)
        prepare(page)
        page.goto(f"{url}/?model={model}" if model else url)
        return Looking(page)

    yield open_page
    for page, complaints in opened:
        page.context.close()
        assert complaints == []


def watch(page: Page, url: str, complaints: list[str]) -> None:
    """Notes errors, what the policy of content forbids, and what is loaded from elsewhere."""

    def said(message: ConsoleMessage) -> None:
        # An answer that is no success is no complaint: the page shows what is wrong.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def loaded(request: Request) -> None:
        if not request.url.startswith((url, f"blob:{url}")):
            complaints.append(f"loads {request.url}")

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", said)
    page.on("request", loaded)


@pytest.fixture
def look(browser: Browser, page_url: str) -> Iterator[Open]:
    """Opens the page, anew each time."""
    with visits(browser, page_url) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def visitor(browser: Browser, page_url: str) -> Iterator[Looking]:
    """One who does one thing after the other on an open page."""
    with visits(browser, page_url) as open_page:
        yield open_page()


@pytest.fixture
def shoot() -> Callable[..., None]:
    """Keeps a picture of the page for the documents, where SLIMDIAL_SCREENSHOTS names a folder."""
    folder = os.environ.get("SLIMDIAL_SCREENSHOTS")

    def take(seen: Looking, name: str, whole: bool = False, settings: int = 1) -> None:
        if folder is None:
            return
        seen.complete(settings)
        with Image.open(io.BytesIO(seen.page.screenshot(full_page=whole))) as image:
            small = image.convert("RGB").quantize(
                256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG
            )
            small.save(ROOT / folder / f"{name}.png", optimize=True)

    return take
