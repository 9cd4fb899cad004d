"""Reading, searching and checking as jina-haystack's connector has them, in Haystack."""

from typing import Any, ClassVar
from urllib.parse import quote

from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY, JinaComponent, asynchronously
from haystack_jina_components.documents import page_document
from haystack_jina_components.fetcher import check_url
from haystack_jina_components.grounder import open_grounder
from haystack_jina_components.reader_mode import JinaReaderMode
from haystack_jina_components.web_search import open_search, result_document
from jina_components.core.background import run_sync
from jina_components.core.inputs import check_query
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsGround, SupportsRead, SupportsSearch
from jina_components.reader import Reader
from jina_components.remote.address import Product
from jina_components.remote.component import as_refusals
from jina_components.remote.fields import Fields

_PRODUCTS: dict[JinaReaderMode, Product] = {
    JinaReaderMode.READ: "reader",
    JinaReaderMode.SEARCH: "search",
    JinaReaderMode.GROUND: "grounding",
}


@component
class JinaReaderConnector(JinaComponent):
    """Reads a page, searches the web or checks a statement, and gives documents.

    Takes the place of jina-haystack's class of this name. With a key or a `base_url` a server is asked, and its answers
    come as they are. `JinaFetcher`, `JinaWebSearch` and `JinaGrounder` give more, and the same here and there.

    Args:
        mode: `read`, `search` or `ground`.
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        json_response: Whether a server is to answer in JSON, which makes documents with what it tells in `meta`; else
            its text makes one document.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        component: A `Reader`, `WebSearch` or `Grounder` of ours, by the mode; None for one that is made here, which to
            search has to be given.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ValueError: an unknown mode.
        ConfigError: a component and settings of a server, or a setting that makes no sense.

    Example:
        >>> JinaReaderConnector(mode="read").run("https://example.com")["documents"][0].meta["title"]
        'Example Domain'
    """

    part: ClassVar[str] = "component"

    def __init__(
        self,
        mode: JinaReaderMode | str,
        api_key: Secret | None = JINA_API_KEY,
        json_response: bool = True,
        *,
        base_url: str | None = None,
        component: SupportsRead | SupportsSearch | SupportsGround | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.mode = JinaReaderMode.from_str(mode) if isinstance(mode, str) else mode
        self.api_key = api_key
        self.json_response = json_response
        self.base_url = base_url
        self.component = component
        self.timeout = timeout
        self.max_retries = max_retries
        server = self._remote()
        self._api = None if server is None else server.endpoint(_PRODUCTS[self.mode]).client()
        if self._api is None:
            if not json_response:
                raise ConfigError("json_response=False is for servers: there is none.")
            self._component = _OPENED[self.mode](self, component)

    @component.output_types(documents=list[Document])
    def run(self, query: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Read, search or check.

        Args:
            query: The URL, the query or the statement.
            headers: Further headers for a server, by which it is told how to answer.

        Returns:
            `documents`: the page, the results, or the verdict.

        Raises:
            ConfigError: headers, and no server.
            InputError: an empty query, or to read, no URL.
            WebError: the server refuses, or cannot be reached.
        """
        return {"documents": run_sync(self._ask(query, headers or {}))}

    @component.output_types(documents=list[Document])
    async def run_async(self, query: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return {"documents": await self._ask(query, headers or {})}

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._api is not None:
            run_sync(self._api.aclose())
        elif self.component is None:
            self._component.close()

    async def close_async(self) -> None:
        """`close` for event loops; also closes the connections of the running one."""
        if self._api is not None:
            await self._api.aclose()
        elif self.component is None:
            await asynchronously(self._component, "close")

    async def _ask(self, query: str, headers: dict[str, str]) -> list[Document]:
        check_query(query)
        if self._api is None:
            if headers:
                raise ConfigError("headers are for servers: there is none.")
            return await _ASKED[self.mode](self._component, query)
        path = quote(query, safe="")
        with as_refusals():
            if self.json_response:
                told = Fields(await self._api.get(path, headers=headers), self._api.base_url)
                is_list = isinstance(told.value("data"), list)
                return [_document(each) for each in (told.rows("data") if is_list else [told.fields("data")])]
            answer = await self._api.get_response(path, headers=headers)
        meta = {"content_type": answer.headers.get("content-type", ""), "query": query}
        return [Document(content=answer.content.decode(errors="replace"), meta=meta)]


def _document(data: Fields) -> Document:
    """A page, a result or a verdict as a server has it."""
    said = "reason" if "reason" in data else "content"
    return Document(content=data.text(said), meta={name: fact for name, fact in data.mapping().items() if name != said})


def _open_reader(_: JinaComponent, given: object) -> Any:
    if given is not None and (isinstance(given, type) or not isinstance(given, SupportsRead)):
        raise ConfigError(f"component must have a method aread(source, options=…), got {given!r}.")
    return Reader() if given is None else given


async def _read(reader: SupportsRead, url: str) -> list[Document]:
    return [page_document(await reader.aread(check_url(url, "query")))]


async def _search(search: SupportsSearch, query: str) -> list[Document]:
    return [result_document(each) for each in await search.asearch(query)]


async def _ground(grounder: SupportsGround, statement: str) -> list[Document]:
    found = await grounder.aground(statement)
    meta = {
        "factuality": found.factuality,
        "result": found.result,
        "verdict": found.verdict,
        "references": [
            {"url": each.url, "keyQuote": each.key_quote, "isSupportive": each.is_supportive}
            for each in found.references
        ],
        "usage": {"tokens": found.usage.total_tokens},
    }
    return [Document(content=found.reason, meta=meta)]


_OPENED = {
    JinaReaderMode.READ: _open_reader, JinaReaderMode.SEARCH: open_search, JinaReaderMode.GROUND: open_grounder,
}  # fmt: skip
_ASKED: dict[JinaReaderMode, Any] = {
    JinaReaderMode.READ: _read, JinaReaderMode.SEARCH: _search, JinaReaderMode.GROUND: _ground,
}  # fmt: skip
