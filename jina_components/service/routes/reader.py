"""The Reader: `/r/{url}` and `/r/`, a page as text for language models."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from jina_components.errors import BudgetExceededError, ConfigError, WebError
from jina_components.read_options import ReadOptions
from jina_components.service.answers import form_of
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.wire.asking import described, index
from jina_components.service.wire.bodies import body_of
from jina_components.service.wire.negotiation import Result, answer_with
from jina_components.service.wire.pages import page_data, page_text
from jina_components.service.wire.reading import FORMATS, ReadRequest, read_request, wrong
from jina_components.service.wire.targets import Target, own_address, target_of, url_of
from jina_components.service.wire.urls import target_url
from jina_components.types import Page

router = APIRouter(tags=["reader"])

_URL = re.compile(r"https?://\S+\Z", re.IGNORECASE)
_STATUSES = {
    405: "Neither GET nor POST.", 409: "More tokens than the budget, or robots.txt forbids it.",
    451: "The URL leads to what is not public.",
}  # fmt: skip


_PATH = {
    "name": "url", "in": "path", "required": True, "schema": {"type": "string"},
    "description": "The URL, with its query string, not quoted; or nothing.",
}  # fmt: skip
_SOURCES = {
    "url": "What is read, or what relative links in html are resolved against.", "html": "HTML to read.",
    "pdf": "A PDF: base64, or a file of a form.", "file": "A document of any kind, likewise.",
}  # fmt: skip


def _documented(body: dict[str, str] | None = None) -> dict[str, Any]:
    """What the OpenAPI document says of what may be asked."""
    told = described({}, body)
    return {**told, "parameters": [_PATH, *told["parameters"]]}


@router.get("/r", include_in_schema=False)
@router.get("/r/{url:text}", summary="Read a page", **documented("rpc", more=_STATUSES), openapi_extra=_documented())
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
@router.post(
    "/r/{url:text}",
    summary="Read a page or a document, with options in the body",
    **documented("rpc", more=_STATUSES),
    openapi_extra=_documented(_SOURCES),
)
async def read_source(request: Request, call: Annotated[Call, Depends(admitted("reader"))]) -> Response:
    """Read a page, a document that is sent, or HTML, with options in the body."""
    body = await body_of(request)
    asked = read_request(request.headers, body)
    target = await asyncio.to_thread(target_of, request, body)  # which decodes files
    return await _read(request, call, asked, target)


async def _read(request: Request, call: Call, asked: ReadRequest, target: Target) -> Response:
    components: Components = request.app.state.components
    form = form_of(request)
    if form == "text" and len(asked.formats) > 1:
        raise wrong(
            "respondWith", "has several formats, which come only with Accept: application/json or text/event-stream"
        )
    if "no-content" in asked.formats:
        raise wrong("respondWith", "has no-content, which is for searches")
    asked = replace(asked, options=await servable(asked.options, components))
    call.items = 1
    kept: list[Page] = []
    versions = _versions(components, asked, target, kept, owner=call.owner, stream=form == "events")
    background = BackgroundTask(components.remember, kept, asked.options) if target.data is None else None
    return await answer_with(request, versions, background=background)


async def _versions(
    components: Components, asked: ReadRequest, target: Target, kept: list[Page], *, owner: str, stream: bool
) -> AsyncGenerator[Result, None]:
    """Ever better versions of the page; `kept` holds the last one, in the first format, when it is there."""
    # By whom and by what way: nobody makes a page fail for others.
    page = (owner, asked.options.proxy, target.url.partition("#")[0])
    with _told(target), components.failures.counted(page) if target.data is None else nullcontext():
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
        [FORMATS[each] for each in asked.formats],
        options=options,
        base_url=base,
        content_type=target.content_type,
    )


def _result(pages: tuple[Page, ...], asked: ReadRequest) -> Result:
    data = page_data(pages, asked)
    tokens: int = data["usage"]["tokens"]
    if asked.token_budget is not None and tokens > asked.token_budget:
        raise BudgetExceededError(
            f"The page costs {tokens:,} tokens, over the budget of {asked.token_budget:,}: raise tokenBudget, or cut "
            "the content with maxTokens.",
            tokens,
        )
    return Result(data, page_text(data), tokens)


async def servable(options: ReadOptions, components: Components) -> ReadOptions:
    """How pages are read, with scripts fetched where they are URLs.

    Raises:
        Problem: 400, it takes a model that the service has not.
        WebError: a script cannot be fetched.
    """
    try:
        components.reader.check(options)
    except ConfigError as error:
        asking = {"withGeneratedAlt": options.captions, "instruction": options.instruction}
        asking |= {"jsonSchema": options.json_schema is not None, "respondWith": True}
        path = next(name for name, is_asked in asking.items() if is_asked)
        raise wrong(path, "needs a language model, and this service was started without one: leave it out") from error
    return replace(options, scripts=tuple([await _script(each, components) for each in options.scripts]))


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


async def _script(given: str, components: Components) -> str:
    if not _URL.match(given):
        return given
    return (await components.fetcher.fetch(given)).content.decode(errors="replace")
