"""Searching: `/s/QUERY`, and the root of the host s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from jina_components.errors import WebError
from jina_components.service.calls import admitted, call_of
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import problem
from jina_components.service.routes.reader import servable
from jina_components.service.wire.asking import described, index, values_of
from jina_components.service.wire.negotiation import Result, answer_with
from jina_components.service.wire.reading import wrong
from jina_components.service.wire.searching import DOCS, SearchRequest, search_request, search_result
from jina_components.types import Page, SearchResults
from jina_components.web_search import LocalIndex, WebSearch

router = APIRouter(tags=["search"])

# Names by which clients ask for an engine of the web, whichever it is.
_WEB = ("google", "bing")
_READ_BEFORE = "reader"

_USAGE = ("ROOT/YOUR_SEARCH_QUERY", "ROOT/?q=YOUR_SEARCH_QUERY", "POST ROOT/ with q, as JSON or a form")

_admit = admitted("search")
_DOCUMENTED = documented("rpc", more={409: "Denied by robots.txt.", 451: "Not a public address."})

_IN_QUERY, _IN_BODY = described(DOCS), described(DOCS, DOCS)


@router.get("/s", include_in_schema=False)
@router.post("/s", include_in_schema=False)
@router.get("/s/search", summary="Search, with the query in the query string", openapi_extra=_IN_QUERY, **_DOCUMENTED)
@router.post("/s/search", summary="Search, with the query in the body", openapi_extra=_IN_BODY, **_DOCUMENTED)
async def search(request: Request) -> Response:
    """Pages for a query, read; as text, JSON or events, by what the client accepts."""
    return await _answer(request, "")


@router.get("/s/{query:text}", summary="Search", openapi_extra=_IN_QUERY, **_DOCUMENTED)
@router.post("/s/{query:text}", summary="Search, with options in the body", openapi_extra=_IN_BODY, **_DOCUMENTED)
async def search_by_path(request: Request, query: str) -> Response:
    """The same, with the query in the path, where `q` does not say another."""
    return await _answer(request, query)


async def _answer(request: Request, path: str) -> Response:
    call_of(request).product = "search"
    asked = search_request(await values_of(request), request.headers, path=path)
    if not asked.query:
        return index(request, "s", *_USAGE)
    await _admit(request)
    components: Components = request.app.state.components
    how = await servable(asked.options.read_options or asked.read.options, components)
    asked = replace(asked, options=replace(asked.options, read_options=how))
    read: list[Page] = []
    results = _results(request, asked, read)
    keep = BackgroundTask(components.remember, read, asked.read.options)
    return await answer_with(request, results, background=keep)


async def _results(request: Request, asked: SearchRequest, read: list[Page]) -> AsyncGenerator[Result, None]:
    """What is found, and again after each page read; `read` holds those in the end."""
    components: Components = request.app.state.components
    shown: dict[str, dict[str, Any]] = {}
    found: SearchResults | None = None
    async with aclosing(snapshots(components, asked)) as found_so_far:
        async for found in found_so_far:
            call_of(request).items = len(found)
            yield await asyncio.to_thread(search_result, found, asked, shown)
    if found is None:
        raise problem(422, "No search results were found for this query.")
    read += [each.page for each in found if each.page and each.providers != (LocalIndex.name,)]


async def snapshots(components: Components, asked: SearchRequest) -> AsyncGenerator[SearchResults, None]:
    """Results of whom the client wants to be asked, and where it allows that, of pages read before.

    They come again after each page read, and not at all where there are none.

    Raises:
        Problem: 400, nobody is here of the name that the client asks for; 422, nobody answered.
    """
    if not asked.count:
        yield SearchResults(asked.query)
        return
    has_found = False
    for search in (_chosen(components, asked), *([components.page_search] if asked.fallback else ())):
        try:
            async with aclosing(search.astream(asked.query, options=asked.options)) as found_so_far:
                async for found in found_so_far:
                    if found:
                        has_found = True
                        yield found
        except WebError as error:
            raise problem(422, error.message, name="DownstreamServiceFailureError") from error
        if has_found:
            return


def _chosen(components: Components, asked: SearchRequest) -> WebSearch:
    """Whom a client wants to be asked.

    Names of engines that existing clients send (`google`, `bing`) stand for the web, and so for the providers that the
    operator named, in order; where there are none they are refused, for pages read before are no answer of the web.

    Raises:
        Problem: 400, there is nobody of this name.
    """
    name = asked.provider
    if name == _READ_BEFORE:
        return components.page_search
    if not name or (name in _WEB and components.searches_web):
        return components.search
    if name in components.searches:
        return components.searches[name]
    known = ", ".join((_READ_BEFORE, *components.searches, *(_WEB if components.searches_web else ())))
    if name in _WEB:
        raise wrong(asked.named, f"is {name}, and this service asks no engine of the web; it has {known}.")
    raise wrong(asked.named, f"must be one of {known}; got {name[:60]!r}.")
