"""The Reader: `/r/{url}` and `/r/`, a page as text for language models."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from jina_components.errors import BudgetExceededError, ConfigError, WebError
from jina_components.read_options import ReadOptions
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.wire import reading
from jina_components.service.wire.asking import index
from jina_components.service.wire.negotiation import (
    Result,
    answer,
    answer_events,
    form_of,
    gone,
    while_connected,
)
from jina_components.service.wire.pages import page_data, page_text
from jina_components.service.wire.reading import ReadRequest, read_request, wrong
from jina_components.service.wire.targets import Target, body_of, own_address, target_of, url_of
from jina_components.service.wire.urls import target_url
from jina_components.types import Page

router = APIRouter(tags=["reader"])

_URL = re.compile(r"https?://\S+\Z", re.IGNORECASE)
_STATUSES = {
    405: "Neither GET nor POST.", 409: "More tokens than the budget, or robots.txt forbids it.",
    451: "The URL leads to what is not public.",
}  # fmt: skip


def _documented(*, body: bool = False) -> dict[str, Any]:
    """What the OpenAPI document says of what may be asked."""
    path = {
        "name": "url", "in": "path", "required": True, "schema": {"type": "string"},
        "description": "The URL, with its query string, not quoted; or nothing.",
    }  # fmt: skip
    told = reading.DOCUMENTED_BODY if body else reading.DOCUMENTED_HEADERS
    return {**told, "parameters": [path, *told["parameters"]]}


@router.get("/r", include_in_schema=False)
@router.get("/r/{url:text}", **documented("rpc", more=_STATUSES), openapi_extra=_documented())
async def read_url(request: Request, call: Annotated[Call, Depends(admitted("reader"))]) -> Response:
    """Read a page; all that follows the first slash is its URL, with its query string.

    As text, a picture is a PNG; in JSON and events, `screenshotUrl` or `pageshotUrl` holds it as a `data:` URI.
    """
    url = url_of(request)
    if not url:
        return index(request, "r", "ROOT/YOUR_URL", "POST ROOT/ with url, html, pdf or file, and options")
    asked = read_request(request.headers)
    return await _read(request, call, asked, Target(target_url(url, own=own_address(request))))


@router.post("/r", include_in_schema=False)
@router.post("/r/{url:text}", **documented("rpc", more=_STATUSES), openapi_extra=_documented(body=True))
async def read_source(request: Request, call: Annotated[Call, Depends(admitted("reader"))]) -> Response:
    """Read a page, a document that is sent, or HTML, with options in the body."""
    body = await body_of(request)
    asked = read_request(request.headers, body)
    target = await asyncio.to_thread(target_of, request, body)  # which decodes files
    return await _read(request, call, asked, target)


@router.options("/r", include_in_schema=False)
@router.options("/r/{url:text}", include_in_schema=False)
async def options() -> Response:
    """What may be asked; browsers' own questions are answered before they come here."""
    return Response(status_code=204, headers={"Allow": "GET, POST, OPTIONS"})


async def _read(request: Request, call: Call, asked: ReadRequest, target: Target) -> Response:
    components: Components = request.app.state.components
    form = form_of(request)
    if form == "text" and len(asked.formats) > 1:
        raise wrong(
            "respondWith", "has several formats, which come only with Accept: application/json or text/event-stream"
        )
    if "no-content" in asked.formats:
        raise wrong("respondWith", "has no-content, which is for searches")
    _check_models(components, asked.options)
    asked = replace(asked, options=await _with_scripts(asked, components))
    call.items = 1
    kept: list[Page] = []
    versions = _versions(components, asked, target, kept, stream=form == "events")
    background = BackgroundTask(components.remember, kept, asked.options) if target.data is None else None
    if form == "events":
        return await answer_events(request, versions, background=background)
    result = await while_connected(request, _last(versions))
    return gone(request) if result is None else answer(request, result, background=background)


async def _versions(
    components: Components, asked: ReadRequest, target: Target, kept: list[Page], *, stream: bool
) -> AsyncGenerator[Result, None]:
    """Ever better versions of the page; `kept` holds the last one, in the first format, when it is there."""
    with _told(target):
        if asked.options.engine == "browser" or asked.options.needing_browser():
            await _resolve(components, target)
        async with aclosing(_pages(components, asked, target, stream=stream)) as versions:
            async for pages in versions:
                kept[:] = pages[:1]
                yield await asyncio.to_thread(_result, pages, asked)


async def _pages(
    components: Components, asked: ReadRequest, target: Target, *, stream: bool
) -> AsyncGenerator[tuple[Page, ...], None]:
    reader, options = components.reader, asked.options
    if stream and target.data is None and len(asked.formats) == 1:
        async with aclosing(reader.astream(target.url, options=options)) as versions:
            async for page in versions:
                yield (page,)
        return
    source = target.url if target.data is None else target.data
    base = "" if target.data is None else target.url
    yield await reader.aread_formats(
        source,
        [reading.FORMATS[each] for each in asked.formats],
        options=options,
        base_url=base,
        content_type=target.content_type,
    )


def _result(pages: tuple[Page, ...], asked: ReadRequest) -> Result:
    data = page_data(pages, asked)
    tokens: int = data["usage"]["tokens"]
    if asked.token_budget is not None and tokens > asked.token_budget:
        raise BudgetExceededError(
            f"The page has {tokens:,} tokens, over the budget of {asked.token_budget:,}: raise tokenBudget, or cut the "
            "content with maxTokens.",
            tokens,
        )
    return Result(data, page_text(data), tokens)


async def _last(versions: AsyncGenerator[Result, None]) -> Result:
    async with aclosing(versions):
        async for result in versions:
            last = result
    return last


def _check_models(components: Components, options: ReadOptions) -> None:
    try:
        components.reader.check(options)
    except ConfigError as error:
        path = "withGeneratedAlt" if options.captions else "instruction" if options.extracts else "respondWith"
        raise wrong(path, "needs a language model, and this service was started without one: leave it out") from error


@contextmanager
def _told(target: Target) -> Iterator[None]:
    """Errors of reading in the words of the wire."""
    try:
        yield
    except WebError as error:
        domain = urlsplit(target.url).hostname
        if _is_unresolved(error) and urlsplit(error.url or target.url).hostname == domain:
            raise wrong("url", f"The domain {domain!r} could not be resolved: check its spelling") from error
        raise


def _is_unresolved(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, socket.gaierror | UnicodeError):
        error = error.__cause__
    return error is not None


async def _resolve(components: Components, target: Target) -> None:
    """Refuse before a browser is started what it would not be let reach."""
    if target.url and target.data is None:
        guard = components.fetcher.guard
        parts = urlsplit(guard.check(target.url))
        await guard.resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


async def _with_scripts(asked: ReadRequest, components: Components) -> ReadOptions:
    """The options, their scripts fetched where they are URLs."""
    scripts = [await _script(each, components) for each in asked.options.scripts]
    return replace(asked.options, scripts=tuple(scripts)) if scripts else asked.options


async def _script(given: str, components: Components) -> str:
    if not _URL.match(given):
        return given
    return (await components.fetcher.fetch(given)).content.decode(errors="replace")
