"""Tools that search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jina_components.service.mcp.arguments import ParallelSearch, Search, SearchImages
from jina_components.service.mcp.client import ToolError
from jina_components.service.mcp.results import Content, each, images, text
from jina_components.service.mcp.visit import Visit

_SECONDS = 30.0
_SIDE = 800
# Lest a model takes it for an answer of the web.
_UNTOLD = " A service that was set up without a search engine knows the pages alone that it has read."

# What a tool searches in, as the API takes it.
WEB: Mapping[str, Any] = {}
ARXIV: Mapping[str, Any] = {"domain": "arxiv"}
SSRN: Mapping[str, Any] = {"site": ["ssrn.com"]}
JINA_BLOG: Mapping[str, Any] = {"site": ["jina.ai/news"]}


def searching(where: Mapping[str, Any]) -> Callable[[Search, Visit], Awaitable[list[Content]]]:
    """A tool that searches there for a query, or for several at once."""

    async def search(given: Search, visit: Visit) -> list[Content]:
        options = given.model_dump(exclude={"query"})
        if isinstance(given.query, str) or len(given.query) == 1:
            query = given.query if isinstance(given.query, str) else given.query[0]
            found = await _found({**options, "query": query}, where, visit)
            return [text(result) for result in found] or [text(f"Nothing was found for {query!r}.{_UNTOLD}")]
        return await _at_once([{**options, "query": query} for query in given.query], where, visit, _SECONDS)

    return search


def searching_at_once(where: Mapping[str, Any]) -> Callable[[ParallelSearch, Visit], Awaitable[list[Content]]]:
    """A tool that searches there for several queries, each in its own way."""

    async def search(given: ParallelSearch, visit: Visit) -> list[Content]:
        return await _at_once([one.model_dump() for one in given.searches], where, visit, given.timeout / 1000)

    return search


async def search_images(given: SearchImages, visit: Visit) -> list[Content]:
    """Pictures of the web, or where they are."""
    options = given.model_dump(exclude={"return_url"})
    found = (await _found(options, {"type": "images"}, visit))[: given.num]
    if given.return_url or not found:
        return [text(result) for result in found] or [text(f"No images were found for {given.query!r}.")]
    urls = [result["imageUrl"] for result in found if result.get("imageUrl")]
    drawn = await images(urls, visit.fetcher(), width=_SIDE, height=_SIDE)
    shown: list[Content] = [picture for picture in drawn if not isinstance(picture, Exception)]
    failed = [f"{url}: {why}" for url, why in zip(urls, drawn, strict=True) if isinstance(why, Exception)]
    if failed or not shown:
        told = f"{len(failed)} of {len(urls)} images cannot be shown; return_url gives their addresses."
        told = "\n".join((told, *failed))
        if not shown:
            raise ToolError(told)
        shown.append(text(told))
    return shown


async def _at_once(
    searches: list[dict[str, Any]], where: Mapping[str, Any], visit: Visit, seconds: float
) -> list[Content]:
    by_query = {search["query"]: search for search in reversed(searches)}  # the first of each
    by_query = {search["query"]: by_query[search["query"]] for search in searches}

    async def one(options: dict[str, Any]) -> dict[str, Any]:
        return {"query": options["query"], "results": await _found(options, where, visit)}

    return await each(by_query, one, seconds=seconds, done=visit.progress)


async def _found(options: dict[str, Any], where: Mapping[str, Any], visit: Visit) -> list[dict[str, Any]]:
    asked = {"q" if name == "query" else name: value for name, value in options.items()}
    answer = await visit.api.post("/svip/", {**asked, **where})
    results: list[dict[str, Any]] = answer["results"]
    return results
