"""Chromium, for what people look at."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; fails with what to do where there is none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_executable(),
            # As root, in a container, Chromium has no sandbox of its own.
            chromium_sandbox=os.getuid() != 0,
        )
        yield browser
        browser.close()


def _executable() -> str:
    named = os.environ.get("SLIMDIAL_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(
            "pages are tested in Chromium, and there is none: `apt-get install chromium`, or "
            "name one in SLIMDIAL_CHROMIUM"
        )
    return found
