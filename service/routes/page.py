"""``/``: a page to turn the dials on, and the files that it is made of."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parents[1] / "page"

# Nothing that is not in these files can run, and nothing is loaded from elsewhere. Pictures made in
# the page have blob: addresses.
HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "font-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        # Kept, and asked about each time: a new release is seen at once.
        "Cache-Control": "no-cache",
    }
)

_files = StaticFiles(directory=_FOLDER)


@router.get("/")
async def index(request: Request) -> Response:
    """The page."""
    return await _answer("index.html", request)


@router.get("/page/{path:path}")
async def asset(path: str, request: Request) -> Response:
    """A file of the page."""
    return await _answer(path, request)


async def _answer(path: str, request: Request) -> Response:
    response = await _files.get_response(path, request.scope)
    response.headers.update(HEADERS)
    return response
