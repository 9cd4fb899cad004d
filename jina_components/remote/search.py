"""RemoteSearch: results with their pages, as a server finds them."""

from __future__ import annotations

from typing import Any

from jina_components.core.background import run_sync
from jina_components.core.inputs import check_query
from jina_components.errors import JinaComponentsError, WebError
from jina_components.net.api import ApiStatusError
from jina_components.read_options import ReadOptions
from jina_components.remote.address import Remote
from jina_components.remote.component import RemoteComponent
from jina_components.remote.fields import Fields
from jina_components.remote.pages import page_of
from jina_components.remote.reading import read_body
from jina_components.search_options import SearchOptions
from jina_components.types import Page, SearchResult, SearchResults, Usage

# Seconds that servers take to find, before they read.
_TO_FIND = 15.0
_NOTHING_FOUND = (422, "No search results")
_TIMES = {"hour": "qdr:h", "day": "qdr:d", "week": "qdr:w", "month": "qdr:m", "year": "qdr:y"}
_MOST = 20
_DEFAULTS = SearchOptions()


class RemoteSearch(RemoteComponent):
    """Searches as a `WebSearch` does, on a server: Jina's Search, or one of `jina-components serve`.

    It gives up to 20 results. What it cannot be told it ignores, which `SearchResults.warnings` then says: `safe`, and
    where it is Jina's, `time_range`. Time that `SearchOptions.deadline` gives beyond the 15 seconds in which servers
    find goes to reading.

    Args:
        remote: The server. Its `timeout` should be above `SearchOptions.deadline`.
        options: How to search, where a call says nothing else.
        provider: Whom the server is to ask, such as `google`, or `reader` for the pages that it has read before; empty
            for whom it asks of itself.
        fallback: Whether pages that it has read before will do where nothing else is found.

    Raises:
        ConfigError: the server cannot be told how to read.

    Example:
        >>> search = RemoteSearch(Remote(api_key="…"))
        >>> search.search("when was jina founded")[0].content  # doctest: +SKIP
    """

    product = "search"

    def __init__(
        self,
        remote: Remote,
        *,
        options: SearchOptions = SearchOptions(),  # noqa: B008 (immutable)
        provider: str = "",
        fallback: bool = False,
    ) -> None:
        super().__init__(remote)
        self._options = options
        self._more = {"provider": provider} if provider else {}
        self._more |= {"fallback": "true"} if fallback else {}
        self._body("", options)

    @property
    def options(self) -> SearchOptions:
        """How it searches where a call says nothing else."""
        return self._options

    def search(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """The results for a query, best first, with their pages as far as the server could read them in time.

        Args:
            query: What is sought.
            options: How to search; None for the search's own.

        Returns:
            The results; empty when nothing was found. Where a page was not read, `SearchResult.error` says why.

        Raises:
            InputError: an empty query, or the server refuses it.
            ConfigError: the server cannot be told how to read.
            WebError: the server, or whom it asks, cannot be reached, or answers out of form.
        """
        return run_sync(self.asearch(query, options=options))

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """Like `search`, for event loops, which it does not block."""
        check_query(query)
        how = options or self._options
        try:
            answer = Fields(await self._post("", self._body(query, how)), self._api.base_url)
        except ApiStatusError as error:
            status, words = _NOTHING_FOUND
            if error.status_code == status and words in error.message:
                return SearchResults(query)
            raise
        if "data" not in answer:
            raise answer.wrong("data", "a list of results")
        meta = answer.fields("meta")
        results = tuple(self._result(row, how) for row in answer.rows("data"))
        usage = Usage(completion_tokens=meta.fields("usage").count("tokens"))
        return SearchResults(query, results, usage, (*self._ignored(how), *meta.texts("warnings")))

    def _ignored(self, options: SearchOptions) -> list[str]:
        given = {"safe": options.safe != _DEFAULTS.safe, "time_range": options.time_range and self._of_jina}
        return [f"{self._api.base_url} ignores {name}." for name, is_given in given.items() if is_given]

    def _body(self, query: str, options: SearchOptions) -> dict[str, Any]:
        said = {
            "q": query,
            "type": options.kind,
            "count": min(options.count, _MOST),
            "page": options.page,
            "gl": options.country,
            "hl": options.language,
            "location": options.location,
            "site": list(options.sites),
            "filetype": list(options.file_types),
            "intitle": list(options.in_title),
            "tbs": None if self._of_jina else _TIMES.get(options.time_range),
            "nfpr": not options.autocorrect,
            **self._more,
        }
        return {name: value for name, value in said.items() if value} | self._reading(options)

    def _reading(self, options: SearchOptions) -> dict[str, Any]:
        if not options.contents:
            return {"respondWith": "no-content"}
        body = read_body(_how(options), of_jina=self._of_jina)
        if options.deadline != _DEFAULTS.deadline and "timeout" not in body:
            body["timeout"] = max(options.deadline - _TO_FIND, 1.0)
        return body

    def _result(self, row: Fields, options: SearchOptions) -> SearchResult:
        page, error = None, None
        if options.contents and options.kind != "images":
            page, error = self._page(row, _how(options))
        return SearchResult(
            url=row.text("url"),
            title=row.text("title"),
            description=row.text("description"),
            published_time=row.text("date") or row.text("publishedTime"),
            source=row.text("source"),
            image_url=row.text("imageUrl"),
            image_width=row.count("imageWidth") or None,
            image_height=row.count("imageHeight") or None,
            favicon=row.text("favicon"),
            site_links=tuple((link.text("title"), link.text("url")) for link in row.rows("siteLinks")),
            page=page,
            error=error,
        )

    def _page(self, row: Fields, options: ReadOptions) -> tuple[Page | None, JinaComponentsError | None]:
        key = options.format if options.format in ("html", "text") else "content"
        if not row.text(key):
            why = row.text("warning") or "The server did not read it in time."
            return None, WebError(why, row.text("url"))
        try:
            return page_of(row, options, of_jina=self._of_jina), None
        except WebError as error:
            return None, error


def _how(options: SearchOptions) -> ReadOptions:
    return options.read_options or ReadOptions()
