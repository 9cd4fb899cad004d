"""SearXNG: a metasearch engine that anybody can run (docs.searxng.org, "Search API")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jina_components.errors import HTTPStatusError, WebError
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.provider import Capabilities, Rate, with_operators
from jina_components.web_search.providers.api import ApiProvider, given, rows, text

_CATEGORIES = {"web": "general", "news": "news", "images": "images"}
_SAFE = {"off": 0, "moderate": 1, "strict": 2}
_RESOLUTION = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})")


class SearxngSearch(ApiProvider):
    """Asks a SearXNG server, which must have `json` among `search.formats` in its settings.yml.

    It gives as many results a page as its engines do, mostly 10 to 30.

    Args:
        base_url: Of the server, such as `http://localhost:8080`.
        engines: Engines to use (`google`, `wikipedia`), or none for those the server has chosen.
        timeout: Seconds for a call.
        rate: How often to call.

    Raises:
        ConfigError: the URL or a limit makes no sense.
    """

    name = "searxng"
    can = Capabilities(
        kinds={"web": 100, "news": 100, "images": 100},
        options=frozenset({"page", "language", "file_types", "in_title", "time_range", "safe"}),
    )

    def __init__(
        self, base_url: str, *, engines: tuple[str, ...] = (), timeout: float = 10.0, rate: Rate | None = None
    ) -> None:
        super().__init__(base_url, api_key=None, auth_header="authorization", timeout=timeout, rate=rate)
        self._engines = ",".join(engines)

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the server did not answer, or none of its engines did.
        """
        params = given(
            q=with_operators(query, options),
            format="json",
            categories=_CATEGORIES[options.kind],
            engines=self._engines,
            language=options.language,
            pageno=options.page,
            time_range=options.time_range,
            safesearch=_SAFE[options.safe],
        )
        try:
            body = await self._api.get("search", params=params)
        except HTTPStatusError as error:
            if error.status_code != 403:
                raise
            message = f"{error.message} SearXNG answers so when settings.yml does not list json under search.formats."
            raise HTTPStatusError(message, error.url, error.status_code) from error
        found = [_result(row) for row in rows(body, "results")]
        silent = body.get("unresponsive_engines")
        if not found and silent:
            reasons = ", ".join(": ".join(map(str, each)) if isinstance(each, list) else str(each) for each in silent)
            raise WebError(f"None of the engines of {self._api.base_url} answered ({reasons}).", self._api.base_url)
        return found


def _result(row: Mapping[str, Any]) -> SearchResult:
    size = _RESOLUTION.search(text(row, "resolution"))
    return SearchResult(
        url=text(row, "url"),
        title=text(row, "title"),
        description=text(row, "content"),
        published_time=text(row, "publishedDate"),
        source=text(row, "source"),
        image_url=text(row, "img_src") or text(row, "thumbnail"),
        image_width=int(size[1]) if size else None,
        image_height=int(size[2]) if size else None,
    )
