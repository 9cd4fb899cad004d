"""Pages of the OpenAPI document, `/docs` and `/redoc`, which need no network: what they load comes from here."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
_TITLE = "jina_components"
_ICON = "data:,"
# Nothing of elsewhere is loaded: ReDoc would show a logo from its makers' host.
_POLICY = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:"
}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger() -> HTMLResponse:
    """The routes, to read and to try."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=_TITLE,
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=_ICON,
    )
    page.headers.update(_POLICY)
    return page


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    """The routes, to read."""
    page = get_redoc_html(
        openapi_url="openapi.json",
        title=_TITLE,
        redoc_js_url=f"{_ASSETS}/redoc.standalone.js",
        redoc_favicon_url=_ICON,
        with_google_fonts=False,
    )
    page.headers.update(_POLICY)
    return page


def add_docs(app: FastAPI) -> None:
    """Add the pages to an application."""
    app.include_router(router)
    # The package holds the files of Swagger UI and ReDoc.
    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
