"""A search of the web, in Haystack."""

from typing import Any, ClassVar

from haystack import Document, component, logging
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY, JinaComponent
from haystack_jina_components.documents import page_document
from jina_components.core.background import run_sync
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsSearch
from jina_components.remote import RemoteSearch
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult, SearchResults

logger = logging.getLogger(__name__)


def result_document(result: SearchResult) -> Document:
    """A hit: its page where it was read, else its snippet."""
    facts = {
        "title": result.title, "url": result.url, "link": result.url, "description": result.description,
        "published_time": result.published_time, "source": result.source,
        "error": "" if result.error is None else str(result.error),
    }  # fmt: skip
    told = {name: fact for name, fact in facts.items() if fact}
    return page_document(result.page, told) if result.page else Document(content=result.description, meta=told)


@component
class JinaWebSearch(JinaComponent):
    """Searches the web, and gives the pages found as documents of clean Markdown.

    With a key or a `base_url` a server searches; a `WebSearch` here has to be told whom to ask, and so is given.

    Args:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        top_k: How many results at most.
        allowed_domains: Only pages of these, or below them.
        search_params: Further options by the names of `SearchOptions`: `{"country": "de", "time_range": "week"}`.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        search: A `WebSearch` of ours, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: neither a search nor a server, or both, or a setting that makes no sense.

    Example:
        >>> search = WebSearch("ddgs", reader=Reader())
        >>> JinaWebSearch(search=search, top_k=3).run("highest tides in the world")["links"]
    """

    part: ClassVar[str] = "search"

    def __init__(
        self,
        api_key: Secret | None = JINA_API_KEY,
        top_k: int = 10,
        allowed_domains: list[str] | None = None,
        search_params: dict[str, Any] | None = None,
        *,
        base_url: str | None = None,
        search: SupportsSearch | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.top_k = top_k
        self.allowed_domains = allowed_domains
        self.search_params = search_params
        self.base_url = base_url
        self.search = search
        self.timeout = timeout
        self.max_retries = max_retries
        sites = {"sites": tuple(allowed_domains)} if allowed_domains else {}
        self._options = SearchOptions(**{"count": top_k, **sites, **(search_params or {})})
        self._component = open_search(self, search)

    @component.output_types(documents=list[Document], links=list[str])
    def run(self, query: str) -> dict[str, Any]:
        """Search.

        Args:
            query: What is sought.

        Returns:
            `documents`, the pages found, best first, or what is known of them; and `links`, their URLs. What a reader
            should know, such as options that were ignored, is logged as a warning.

        Raises:
            InputError: an empty query.
            WebError: whom it asked failed.
        """
        return self._result(run_sync(self._component.asearch(query, options=self._options)))

    @component.output_types(documents=list[Document], links=list[str])
    async def run_async(self, query: str) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return self._result(await self._component.asearch(query, options=self._options))

    def _result(self, found: SearchResults) -> dict[str, Any]:
        for warning in found.warnings:
            logger.warning("Search for {query}: {warning}", query=found.query, warning=warning)
        return {"documents": [result_document(each) for each in found], "links": [each.url for each in found]}


def open_search(owner: JinaComponent, given: object) -> Any:
    """The search given, or that of a server.

    Raises:
        ConfigError: there is neither, or both.
    """
    server = owner._remote()  # noqa: SLF001 (of one family)
    if given is not None and (isinstance(given, type) or not isinstance(given, SupportsSearch)):
        raise ConfigError(f"{owner.part} must have a method asearch(query, options=…), got {given!r}.")
    if given is None and server is None:
        raise ConfigError(
            f"{type(owner).__name__} needs whom to ask: {owner.part}=WebSearch(…), a key (api_key, or JINA_API_KEY in "
            "the environment), or base_url, that of a server."
        )
    return given if server is None else RemoteSearch(server)
