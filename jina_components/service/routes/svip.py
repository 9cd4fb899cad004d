"""The newer wire of searching: the root of the host svip, and `/svip/`. Results alone; no page is read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from jina_components.search_options import MAX_COUNT
from jina_components.service.answers import json_answer
from jina_components.service.calls import admitted, call_of
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.routes.search import snapshots
from jina_components.service.wire.asking import described, values_of
from jina_components.service.wire.reading import wrong
from jina_components.service.wire.searching import cost, plain_results, search_request
from jina_components.types import SearchResults

router = APIRouter(tags=["search"])

_NAMES = {
    "q": "What is sought.", "num": f"Results, up to {MAX_COUNT} (10).", "type": "web, images or news.",
    "tbs": "qdr:h, qdr:d, qdr:w, qdr:m, qdr:y: no older than that.", "location": "Place to search from.",
    "gl": "Country to search from.", "hl": "Language.", "domain": "arxiv: papers.",
}  # fmt: skip
# What the wire has and this service has not, by the parameter that asks for it.
_REFUSED = {
    "query_expansion": "is not served here: ask for the queries themselves",
    "url": "asks for a page to be read, which is not served here: /r/ reads it",
}

_admit = admitted("search")
_DOCUMENTED = documented("rpc")


@router.get("/svip", include_in_schema=False)
@router.post("/svip", include_in_schema=False)
@router.get("/svip/", summary="Search without reading pages", openapi_extra=described(_NAMES), **_DOCUMENTED)
@router.post(
    "/svip/",
    summary="Search without reading pages, with the query in the body",
    openapi_extra=described(_NAMES, _NAMES),
    **_DOCUMENTED,
)
async def plain_search(request: Request) -> Response:
    """Results for a query as the search engine has them."""
    call, began = call_of(request), time.perf_counter()
    call.product = "search"
    given = await values_of(request)
    asked = search_request(_with_provider(given), request.headers, most=MAX_COUNT)
    if not asked.query:
        raise wrong("q", "must be given")
    asked = replace(asked, options=replace(asked.options, contents=False))
    await _admit(request)
    components: Components = request.app.state.components
    found = SearchResults(asked.query)
    async with aclosing(snapshots(components, asked)) as found_so_far:
        async for more in found_so_far:
            found = more
    call.items, call.tokens = len(found), cost(asked, len(found), 0)
    meta = {
        "query": asked.query,
        "num_results": len(found),
        "latency": round((time.perf_counter() - began) * 1000),
        "credits": call.tokens,
    }
    return json_answer({"results": plain_results(found), "meta": meta})


def _with_provider(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with `domain` as a provider.

    Raises:
        Problem: 400, they ask for what is not served.
    """
    for name, why in _REFUSED.items():
        if given.get(name) not in (None, "", False, "false"):
            raise wrong(name, why)
    domain = given.get("domain")
    return {**given, "provider": domain} if domain else dict(given)
