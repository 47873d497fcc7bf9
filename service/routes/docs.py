"""``/docs``: the page that shows the OpenAPI document and tries it out."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from service.security.headers import page_policy

router = APIRouter(include_in_schema=False)

STATIC = "/static-offline-docs"
"""Where the page's scripts and styles are."""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Everything that the page needs comes from this service."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="slimdial",
        swagger_js_url=f"{root}{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{root}{STATIC}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = page_policy(bytes(page.body))
    return page
