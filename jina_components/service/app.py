"""The application: routes, what stands around them, and what is opened and closed with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from jina_components import __version__
from jina_components.errors import JinaComponentsError
from jina_components.service import errors
from jina_components.service.calls import Access, OpenAccess
from jina_components.service.components import Components
from jina_components.service.hosts import Hosts
from jina_components.service.routes import ROUTERS
from jina_components.service.settings import ServiceSettings
from jina_components.service.watching import Watching


def create_app(
    settings: ServiceSettings, *, components: Components | None = None, access: Access | None = None
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: How it is set up.
        components: What answers; None to make it from the settings. It is closed with the application.
        access: Who may ask; None for everybody, which is for the loopback interface only.
    """
    app = FastAPI(title="jina_components", version=__version__, lifespan=_lifespan, redirect_slashes=False)
    app.state.settings = settings
    app.state.components = components or Components(settings)
    app.state.access = access or OpenAccess()
    app.state.ready = False
    for router in ROUTERS:
        app.include_router(router)
    for kind in (RequestValidationError, HTTPException, errors.Problem, JinaComponentsError, Exception):
        app.add_exception_handler(kind, errors.handle)
    # The last added is the outermost.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    app.add_middleware(Hosts)
    app.add_middleware(Watching)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    components: Components = app.state.components
    await asyncio.to_thread(components.warm_up)
    watching = asyncio.create_task(components.watch_idle())
    app.state.ready = True
    try:
        yield
    finally:
        app.state.ready = False
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await components.aclose()
