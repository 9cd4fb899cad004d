"""The application: routes, what stands around them, and what is opened and closed with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from jina_components import __version__
from jina_components.errors import JinaComponentsError
from jina_components.service import errors
from jina_components.service.accounting import Accounting
from jina_components.service.accounts.access import KeyAccess
from jina_components.service.admission import Admission
from jina_components.service.batches.running import Batches
from jina_components.service.calls import Access, OpenAccess
from jina_components.service.components import Components
from jina_components.service.database import Database
from jina_components.service.docs import add_docs
from jina_components.service.documenting import Documented
from jina_components.service.finetunes.running import FineTunes
from jina_components.service.hosts import Hosts
from jina_components.service.metrics import Metrics
from jina_components.service.playground.app import add_playground
from jina_components.service.routes import ROUTERS
from jina_components.service.settings import ServiceSettings
from jina_components.service.watching import Watching

logger = logging.getLogger(__name__)

_DESCRIPTION = """\
Search components behind Jina's, OpenAI's and Cohere's APIs, on your own hardware: existing clients need only another
base URL.

- Every answer carries `X-Request-ID`. Requests beyond the limits are answered with 429 or 503 and `Retry-After`.
- A key goes into `Authorization: Bearer KEY`; classifiers and batches are seen with the keys of their owner alone.
- Fields that are not documented are ignored, and null is as good as left out. Numbers and booleans may come as \
strings, such as `"8"` or `"true"`, and booleans as 0 and 1. Other names of a field that clients use are told in its \
description.
- Bodies come uncompressed.
"""
_TAGS = {
    "embeddings": "Vectors of texts and images.",
    "rerank": "Documents by their relevance to a query.",
    "classification": "Labels of texts and images, by their words or by training.",
    "segment": "Tokens and chunks of texts.",
    "batch": "Embeddings of many inputs, made in the background.",
    "finetune": "Models fitted to your documents, in the background.",
    "models": "What is served.",
    "deepsearch": "Answers found by searching, reading and reasoning.",
    "reader": "Pages as clean text.",
    "search": "Results of the web, read.",
    "grounding": "Statements checked against sources.",
    "account": "Keys, balances and usage.",
    "service": "Probes and metrics.",
}
# So that scripts of web pages can read them.
_EXPOSED = (
    "X-Request-ID", "X-Served-By", "Retry-After", "X-Usage-Tokens", "X-RateLimit-Limit-Requests",
    "X-RateLimit-Limit-Tokens", "X-RateLimit-Remaining-Requests", "X-RateLimit-Remaining-Tokens",
)  # fmt: skip


def create_app(
    settings: ServiceSettings, *, components: Components | None = None, access: Access | None = None
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: How it is set up.
        components: What answers; None to make it from the settings. It is closed with the application.
        access: Who may ask; None for those with a key where the settings need one, else for everybody, which is for the
            loopback interface only.
    """
    app = Documented(
        title="jina_components",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=[{"name": name, "description": words} for name, words in _TAGS.items()],
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # The framework's own spans and logs hold URLs, queries and messages of errors.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    state = app.state
    state.settings = settings
    state.components = components or Components(settings)
    state.database = Database(settings.database)
    state.access = access or (KeyAccess(state.database, settings) if settings.needs_keys else OpenAccess())
    state.metrics = Metrics(state.components)
    state.origins = _origins(state.components)
    state.finetunes = None  # those of a service that has them, while it runs
    state.mcp = None  # made when the first client comes
    state.ready = state.ending = False
    state.failure = None
    for router in ROUTERS:
        app.include_router(router)
    add_docs(app)
    for kind in (RequestValidationError, HTTPException, errors.Problem, JinaComponentsError):
        app.add_exception_handler(kind, errors.handle)
    app.add_exception_handler(405, _no_such_method)
    # The last added is the outermost.
    if settings.playground:
        add_playground(app)
    app.add_middleware(Accounting)
    app.add_middleware(Admission, limits=settings.limits, metrics=state.metrics)
    app.add_middleware(Hosts)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=state.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
    )
    app.add_middleware(Watching, metrics=state.metrics, stand_ins=settings.stand_ins)
    return app


async def _no_such_method(request: Request, _: Exception) -> Response:
    """405 that names the methods of the path; the framework names those of its first route alone."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    fitting = [route for route in fitting if route.path == request.scope["path"]] or fitting  # without parameters
    allowed = ", ".join(sorted({method for route in fitting for method in route.methods or ()}))
    told = f"{request.method} is no method of this path, which has {allowed}."
    return errors.answer_problem(request, errors.problem(405, told, headers={"Allow": allowed}))


def _origins(components: Components) -> tuple[str, ...]:
    """As `ServiceSettings.allow_origins` has it."""
    how = components.settings
    if how.allow_origins is not None:
        return how.allow_origins
    return () if how.allow_networks or components.retriever is not None else ("*",)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    components: Components = app.state.components
    database: Database = app.state.database
    access: Access = app.state.access
    tasks = [asyncio.create_task(components.watch_idle())]
    if app.state.settings.warm_up:
        tasks.append(asyncio.create_task(_warm_up(app)))
    else:
        app.state.ready = True
    try:
        await access.open()
        async with AsyncExitStack() as running:
            app.state.batches = await running.enter_async_context(Batches(components, database, app.state.metrics))
            if app.state.settings.finetunes:
                finetunes = FineTunes(components, database, app.state.metrics)
                app.state.finetunes = await running.enter_async_context(finetunes)
            yield
    except JinaComponentsError as error:  # before the first request: none of them raises it here
        app.state.failure = error
        raise
    finally:
        app.state.ready = False
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await access.close()
        await components.aclose()
        await asyncio.to_thread(database.close)


async def _warm_up(app: FastAPI) -> None:
    """Load models; requests that come before that wait for theirs. A server ends when it fails."""
    components: Components = app.state.components
    try:
        await asyncio.to_thread(components.warm_up)
    except JinaComponentsError as error:
        logger.error("Warming up failed: %s", error)  # noqa: TRY400 (whose stack tells an operator nothing)
        app.state.failure = error
    else:
        app.state.ready = not app.state.ending
