"""What browsers are told with every answer."""

import base64
import hashlib
import re

import httpx
import pytest

from service.security.headers import page_policy
from tests.service.running import Running

pytestmark = pytest.mark.anyio

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def answers(service: Running) -> list[httpx.Response]:
    """One of every kind."""
    subnet = await service.dial()
    http = service.http
    found = [
        await http.get(path)
        for path in ("/models", "/", "/docs", "/openapi.json", "/nowhere", "/metrics", "/livez")
    ]
    found += [await http.get(subnet["links"]["onnx"]), await http.put("/models")]
    found += [await http.post("/subnet", content=b"{"), await http.get("/static-offline-docs/x")]
    found.append(await http.get("/static-offline-docs/swagger-ui.css"))
    service.runtime.refusing = True
    found.append(await http.get("/models"))
    del service.runtime.subnets  # whatever nobody has thought of
    service.runtime.refusing = False
    found.append(await http.get(subnet["links"]["self"]))
    assert found[-1].status_code == 500
    return found


async def test_every_answer_has_them_once(service: Running) -> None:
    for answer in await answers(service):
        for name, value in EXPECTED.items():
            assert answer.headers.get_list(name) == [value], (answer.url, name)
        assert len(answer.headers.get_list("content-security-policy")) == 1
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers.get_list("cache-control")) == 1
        assert "strict-transport-security" not in answer.headers  # not over plain HTTP


async def test_only_what_can_be_checked_is_kept_by_its_reader(service: Running) -> None:
    subnet = await service.dial()
    file = await service.http.get(subnet["links"]["onnx"])
    assert file.headers["cache-control"] == "private, no-cache"
    again = {"if-none-match": file.headers["etag"]}
    unchanged = await service.http.get(subnet["links"]["onnx"], headers=again)
    assert unchanged.status_code == 304
    assert unchanged.headers["cache-control"] == "private, no-cache"
    assert (await service.http.get("/models")).headers["cache-control"] == "no-store"


async def test_answers_that_are_no_pages_may_load_nothing(service: Running) -> None:
    for path in ("/models", "/nowhere", "/livez"):
        policy = (await service.http.get(path)).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


async def test_the_documentation_runs_its_own_scripts_and_no_others(service: Running) -> None:
    page = await service.http.get("/docs")
    policy = dict(
        directive.split(" ", 1) for directive in page.headers["content-security-policy"].split("; ")
    )
    sources = policy["script-src"].split()
    (inline,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert sources == ["'self'", f"'sha256-{digest}'"]
    assert policy["default-src"] == "'self'"


def test_a_page_without_inline_scripts_names_none() -> None:
    assert "script-src 'self';" in page_policy(b"<script src='/a.js'></script>")
