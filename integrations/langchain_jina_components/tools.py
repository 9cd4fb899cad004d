"""LangChain's tools over our search, reader and grounder."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from langchain_core.documents import Document
from langchain_core.tools import BaseTool, ToolException
from langchain_core.utils import secret_from_env
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from jina_components.core.background import run_sync
from jina_components.entailment import EntailmentScorer
from jina_components.errors import ConfigError, JinaComponentsError
from jina_components.grounder import Grounder
from jina_components.protocols import SupportsGround, SupportsRead, SupportsSearch
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.remote import Remote, RemoteGrounder, RemoteReader, RemoteSearch
from jina_components.reranker import Reranker
from jina_components.search_options import SearchOptions
from jina_components.types import Grounding, Page, SearchResults
from langchain_jina_components.remote import RemoteByArgument, RemoteFields


class JinaTool(RemoteFields, BaseTool):
    """What the tools have in common: a text for the model, and our result as the artifact of the message.

    Our errors become a `ToolException`, which `handle_tool_error=True` tells the model; it has ours as its cause.

    Attributes:
        max_characters: Where the text for the model is cut; None for nowhere. The artifact is whole.
    """

    model_config = ConfigDict(extra="forbid")  # which BaseTool does not

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    max_characters: int | None = Field(default=20_000, gt=0)

    def _run(self, *args: Any, **arguments: Any) -> Any:
        return run_sync(self._arun(*args, **arguments))

    async def _arun(self, *args: Any, **arguments: Any) -> Any:
        try:
            found = await self._find(*args, **arguments)
        except JinaComponentsError as error:
            raise ToolException(str(error)) from error
        text = self._told(found)
        return (text, found) if self.response_format == "content_and_artifact" else text

    async def _find(self, *args: Any, **arguments: Any) -> Any:
        """What the component finds."""
        raise NotImplementedError

    def _told(self, found: Any) -> str:
        """What is found, for a model."""
        raise NotImplementedError


class SearchInput(BaseModel):
    """What `JinaSearch` takes."""

    query: str = Field(description="What to look for, as one would type it into a search engine.")


class JinaSearch(JinaTool):
    """Searches the web through a `WebSearch`, or a server's search, and reads the pages found.

    Takes the place of `JinaSearch` of `langchain_community`. The model gets JSON: a list of `title`, `link`, `snippet`
    and `content`; the artifact is a `SearchResults`.

    Attributes:
        search: A `WebSearch`, a `RemoteSearch`, or a `JinaSearchAPIWrapper`, which may also be given as
            `search_wrapper`; None for that of a server.
        options: How to search; None for the search's own.
        max_characters: Characters of content, shared out among the results.

    Raises:
        ConfigError: neither a search nor a server is given, or both are.

    Example:
        >>> tool = JinaSearch(search=WebSearch("ddgs", reader=Reader()))
        >>> print(tool.invoke("highest tides in the world"))
    """

    part: ClassVar[str] = "search"

    name: str = "jina_search"
    description: str = (
        "Searches the web. Gives the best pages as JSON: title, link, snippet, and content as Markdown. For whatever "
        "is recent, and for facts that need a source."
    )
    args_schema: Any = SearchInput
    search: SupportsSearch | None = Field(
        default=None, validation_alias=AliasChoices("search", "search_wrapper"), frozen=True
    )
    options: SearchOptions | None = None

    @property
    def search_wrapper(self) -> SupportsSearch:
        """The search."""
        found: SupportsSearch = self._component
        return found

    async def _find(self, query: str) -> SearchResults:
        found: SearchResults = await self._component.asearch(query, options=self.options)
        return found

    def _told(self, found: SearchResults) -> str:
        return _as_json(found, self.max_characters)

    def _make(self, remote: Remote | None) -> RemoteSearch:
        if remote is None:
            raise ConfigError(
                "JinaSearch has nothing to search with: pass search=WebSearch(…), or jina_api_key (or set "
                "JINA_API_KEY) for Jina's servers, or base_url for another server."
            )
        return RemoteSearch(remote)


class JinaSearchAPIWrapper(BaseModel):
    """A server's search, as `JinaSearchAPIWrapper` of `langchain_community` has it.

    Attributes:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment.
        base_url: Where it searches: Jina's host, or `http://localhost:8000/s/` of `jina-components serve`.

    Raises:
        ValueError: there is no key.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr = Field(default_factory=secret_from_env("JINA_API_KEY"))
    base_url: str = "https://s.jina.ai/"
    _search: RemoteSearch = PrivateAttr()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        root = self.base_url.rstrip("/").removesuffix("/s")
        self._search = RemoteSearch(Remote(root, api_key=self.api_key.get_secret_value()))

    def run(self, query: str) -> str:
        """The results as JSON: a list of `title`, `link`, `snippet` and `content`."""
        return run_sync(self.arun(query))

    async def arun(self, query: str) -> str:
        """Like `run`, for event loops, which it does not block."""
        return _as_json(await self.asearch(query))

    def download_documents(self, query: str) -> list[Document]:
        """The results as documents: their content, and `title`, `link` and `description` as metadata."""
        return run_sync(self.adownload_documents(query))

    async def adownload_documents(self, query: str) -> list[Document]:
        """Like `download_documents`, for event loops, which it does not block."""
        return [
            Document(hit.content, metadata={"title": hit.title, "link": hit.url, "description": hit.description})
            for hit in await self.asearch(query)
        ]

    async def asearch(self, query: str, *, options: SearchOptions | None = None) -> SearchResults:
        """The results as ours."""
        return await self._search.asearch(query, options=options)

    def close(self) -> None:
        """Give the connections back; the next query opens new ones."""
        self._search.close()


class ReadInput(BaseModel):
    """What `JinaReader` takes. No paths: a model must not choose files to be read."""

    url: str = Field(pattern=r"^https?://", description="URL of the page or document, with http:// or https://.")


class JinaReader(RemoteByArgument, JinaTool):
    """Reads a page, a PDF or an office document behind a URL as Markdown. The artifact is a `Page`.

    Attributes:
        reader: A `Reader` or `RemoteReader`; None for one of the settings.
        options: How to read; None for the reader's own.

    Raises:
        ConfigError: a reader and settings of one are given.

    Example:
        >>> tool = JinaReader(max_characters=5_000)
        >>> print(tool.invoke("https://example.com"))
    """

    part: ClassVar[str] = "reader"

    name: str = "jina_reader"
    description: str = "Reads the page, PDF or office document behind a URL. Gives its title and content as Markdown."
    args_schema: Any = ReadInput
    reader: SupportsRead | None = Field(default=None, frozen=True)
    options: ReadOptions | None = None

    async def _find(self, url: str) -> Page:
        found: Page = await self._component.aread(url, options=self.options)
        return found

    def _told(self, found: Page) -> str:
        return _cut(f"Title: {found.title}\nURL: {found.url}\n\n{found.content}", self.max_characters)

    def _make(self, remote: Remote | None) -> Reader | RemoteReader:
        return Reader() if remote is None else RemoteReader(remote)


class GroundInput(BaseModel):
    """What `JinaGround` takes."""

    statement: str = Field(description="One or a few sentences to be checked.")
    references: list[str] | None = Field(
        default=None, description="URLs to take evidence from; leave out to search for it."
    )


class JinaGround(RemoteByArgument, JinaTool):
    """Checks a statement against the web, or against documents of one's own. The artifact is a `Grounding`.

    Attributes:
        grounder: A `Grounder` or `RemoteGrounder`; None for one of the settings. One that is made here knows no source
            to search in, and needs `references`.

    Raises:
        ConfigError: a grounder and settings of one are given.

    Example:
        >>> tool = JinaGround(grounder=Grounder(retriever, entailment=EntailmentScorer()))
        >>> print(tool.invoke("The Holm Bridge opened in 1950."))
    """

    part: ClassVar[str] = "grounder"

    name: str = "jina_ground"
    description: str = (
        "Checks whether a statement is true. Gives a verdict (supported, refuted or not enough evidence), why, and "
        "quotes with their sources."
    )
    args_schema: Any = GroundInput
    grounder: SupportsGround | None = Field(default=None, frozen=True)
    _reader: Reader = PrivateAttr(default_factory=Reader)

    def close(self) -> None:
        """As of all of them, and of what reads the references."""
        super().close()
        self._reader.close()

    async def _find(self, statement: str, references: list[str] | None = None) -> Grounding:
        found: Grounding = await self._component.aground(statement, references=references)
        return found

    def _told(self, found: Grounding) -> str:
        quotes = [
            f"- {'for' if one.is_supportive else 'against'}: “{one.key_quote}” ({one.url})" for one in found.references
        ]
        verdict = f"{found.verdict} (factuality {found.factuality:.2f}): {found.reason}"
        return _cut("\n".join([verdict, *quotes, *found.warnings]), self.max_characters)

    def _make(self, remote: Remote | None) -> Grounder | RemoteGrounder:
        if remote is None:
            return Grounder(entailment=EntailmentScorer(), reranker=Reranker(), reader=self._reader)
        return RemoteGrounder(remote)


def _as_json(found: SearchResults, most: int | None = None) -> str:
    share = most and max(most // max(len(found), 1), 1)
    listed = [
        {"title": hit.title, "link": hit.url, "snippet": hit.description, "content": _cut(hit.content, share)}
        for hit in found
    ]
    return json.dumps(listed, ensure_ascii=False)


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]}…\n[{len(text) - most:,} more characters are left out.]"
