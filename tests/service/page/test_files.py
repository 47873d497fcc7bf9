"""The files that the page is made of."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import service

FOLDER = Path(service.__file__).parent / "page"
VENDOR = FOLDER / "vendor"


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as http:
        yield http


def test_what_others_wrote_is_what_they_published() -> None:
    listed = {}
    for package in json.loads((VENDOR / "vendored.json").read_text()):
        assert {"package", "version", "license", "integrity"} <= set(package)
        assert "LICENSE" in package["files"]
        for name, digest in package["files"].items():
            listed[f"{package['folder']}/{name}"] = digest
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendored.json"
    }
    assert found == listed


def test_nothing_may_run_that_is_not_in_the_files_and_nothing_is_loaded_from_elsewhere(
    http: httpx.Client,
) -> None:
    policy = http.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*|data:", policy)
    index = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\son\w+=", index)


def test_files_are_asked_about_again_and_not_sent_again(http: httpx.Client) -> None:
    for path in ("/", "/page/app/main.js", "/page/style/base.css", "/page/icon.svg"):
        first = http.get(path)
        assert first.status_code == 200
        assert first.headers["cache-control"] == "no-cache"
        assert first.headers["x-content-type-options"] == "nosniff"
        again = http.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(first.content))


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "", "app", "%2e%2e/settings.py", "..%2fsettings.py", "%2fetc/passwd", "app/%00"],
)
def test_only_the_page_s_own_files_are_answered(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/page/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_types_are_those_that_browsers_demand(http: httpx.Client) -> None:
    kinds = {
        "app/main.js": "text/javascript",
        "style/base.css": "text/css",
        "icon.svg": "image/svg+xml",
        "vendor/inter/inter-latin-wght-normal.woff2": "font/woff2",
    }
    for path, kind in kinds.items():
        assert http.get(f"/page/{path}").headers["content-type"].startswith(kind)
