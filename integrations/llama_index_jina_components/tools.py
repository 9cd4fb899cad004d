"""Search, Reader and grounding as tools of LlamaIndex's agents."""

# Annotations are not put off: LlamaIndex shows them to language models, and makes schemas of them.

import re
from typing import Annotated, ClassVar

from llama_index.core.bridge.pydantic import Field
from llama_index.core.schema import Document
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec

from jina_components.core.background import run_sync
from jina_components.entailment import EntailmentScorer
from jina_components.errors import ConfigError, InputError
from jina_components.grounder import Grounder
from jina_components.protocols import SupportsGround, SupportsRead, SupportsSearch
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.remote import RemoteGrounder, RemoteReader, RemoteSearch
from jina_components.reranker import Reranker
from jina_components.search_options import SearchOptions
from jina_components.types import Grounding, SearchResult, SearchResults, shorten
from jina_components.types.codec import encode
from llama_index_jina_components.reader import WrittenOptions, page_document
from llama_index_jina_components.remote import RemoteFields, Written

_URL = re.compile(r"https?://", re.IGNORECASE)


class _ToolFields(RemoteFields, BaseToolSpec):
    """What the tools share."""

    max_characters: int = Field(default=20_000, gt=0, description="The most that a call tells a language model.")


class JinaSearchToolSpec(_ToolFields):
    """A tool that searches the web, or pages read before: `jina_search`.

    Args:
        search: Such as a `WebSearch`; by default, with a key or `base_url`, that of a server.
        options: How to search; None for the search's own.
        max_characters: The most that a call tells a language model; each result has its share.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`.

    Raises:
        ConfigError: neither a search nor a server, or both.

    Example:
        >>> tools = JinaSearchToolSpec(search=WebSearch("ddgs", reader=Reader())).to_tool_list()
        >>> agent = FunctionAgent(tools=tools, llm=llm)
    """

    part: ClassVar[str] = "search"
    spec_functions: ClassVar[list[SPEC_FUNCTION_TYPE]] = [("jina_search", "ajina_search")]  # type: ignore[misc]

    search: Annotated[SupportsSearch | None, Written] = Field(default=None, description="Searches.")
    options: Annotated[SearchOptions | None, WrittenOptions] = Field(default=None, description="How to search.")

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaSearchToolSpec"

    def jina_search(self, query: str) -> list[Document]:
        """Search the web and read the pages that are found: their titles, URLs and contents, best first.

        Args:
            query (str): What to search for, in a few words.
        """
        return run_sync(self.ajina_search(query))

    async def ajina_search(self, query: str) -> list[Document]:
        """`jina_search`, for event loops, which it does not block."""
        results: SearchResults = await self._component.asearch(query, options=self.options)
        share = self.max_characters // max(len(results), 1)
        found = [_hit(result, share) for result in results]
        notes = [*([] if found else [f"Nothing was found for {query!r}."]), *results.warnings]
        return found + [Document(text=_cut(note, share)) for note in notes]

    def _make(self) -> RemoteSearch:
        if self.remote is None:
            raise ConfigError("JinaSearchToolSpec takes search=WebSearch(…) or, for a server's, api_key or base_url.")
        return RemoteSearch(self.remote)


class JinaReaderToolSpec(_ToolFields):
    """A tool that reads what is behind a URL, never a file of this machine: `jina_read`.

    Args:
        reader: Such as a `Reader`; by default one that reads here or, with a key or `base_url`, on a server. One that
            reads here reaches public addresses only, if its `fetcher` does not say otherwise.
        options: How to read; None for the reader's own.
        max_characters: The most that a call tells a language model.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`.

    Raises:
        ConfigError: a reader and settings of a server.

    Example:
        >>> agent = FunctionAgent(tools=JinaReaderToolSpec().to_tool_list(), llm=llm)
    """

    part: ClassVar[str] = "reader"
    by_environment: ClassVar[bool] = False
    spec_functions: ClassVar[list[SPEC_FUNCTION_TYPE]] = [("jina_read", "ajina_read")]  # type: ignore[misc]

    reader: Annotated[SupportsRead | None, Written] = Field(default=None, description="Reads.")
    options: Annotated[ReadOptions | None, WrittenOptions] = Field(default=None, description="How to read.")

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaReaderToolSpec"

    def jina_read(self, url: str) -> Document:
        """Read a web page, or a PDF or another document on the web, as clean Markdown.

        Args:
            url (str): Its address, which begins with http:// or https://.
        """
        return run_sync(self.ajina_read(url))

    async def ajina_read(self, url: str) -> Document:
        """`jina_read`, for event loops, which it does not block."""
        if not _URL.match(url):  # which a Reader would take for the path of a file
            raise InputError(f"url must begin with http:// or https://, got {shorten(repr(url))}.")
        document = page_document(await self._component.aread(url, options=self.options))
        document.set_content(_cut(_headed(document.metadata.get("title", ""), document.text), self.max_characters))
        return document

    def _make(self) -> Reader | RemoteReader:
        return Reader() if self.remote is None else RemoteReader(self.remote)


class JinaGroundToolSpec(_ToolFields):
    """A tool that checks a statement against evidence: `jina_ground`.

    Args:
        grounder: Such as a `Grounder` over a search or documents of one's own; by default one that runs here or, with a
            key or `base_url`, on a server. One that is made here knows no source to search in: it takes references.
        max_characters: The most that a call tells a language model.
        api_key, base_url, timeout, max_retries: Of a server; see `RemoteFields`.

    Raises:
        ConfigError: a grounder and settings of a server.

    Example:
        >>> grounder = Grounder(retriever, entailment=EntailmentScorer())
        >>> print(JinaGroundToolSpec(grounder=grounder).jina_ground("The bridge opened in 1952.").text)
        supported, factuality 0.98: …
    """

    part: ClassVar[str] = "grounder"
    by_environment: ClassVar[bool] = False
    spec_functions: ClassVar[list[SPEC_FUNCTION_TYPE]] = [("jina_ground", "ajina_ground")]  # type: ignore[misc]

    grounder: Annotated[SupportsGround | None, Written] = Field(default=None, description="Checks.")

    @classmethod
    def class_name(cls) -> str:
        """Its name in serialized form."""
        return "JinaGroundToolSpec"

    def jina_ground(self, statement: str, references: list[str] | None = None) -> Document:
        """Check whether a statement is true: the verdict, its factuality (0 to 1), and quotes with their sources.

        Args:
            statement (str): One or a few sentences that can be understood alone.
            references (list): URLs to take evidence from; leave it out to search for evidence.
        """
        return run_sync(self.ajina_ground(statement, references))

    async def ajina_ground(self, statement: str, references: list[str] | None = None) -> Document:
        """`jina_ground`, for event loops, which it does not block."""
        grounding: Grounding = await self._component.aground(statement, references=references)
        quotes = [
            f"- {'For' if each.is_supportive else 'Against'}: “{each.key_quote}” ({each.url})"
            for each in grounding.references
        ]
        verdict = f"{grounding.verdict}, factuality {grounding.factuality:.2f}: {grounding.reason}"
        text = "\n".join([verdict, *quotes, *grounding.warnings])
        return Document(text=_cut(text, self.max_characters), metadata=encode(grounding))

    def _make(self) -> Grounder | RemoteGrounder:
        if self.remote is None:
            return Grounder(entailment=EntailmentScorer(), reranker=Reranker(), reader=Reader())
        return RemoteGrounder(self.remote)


def _hit(result: SearchResult, most: int) -> Document:
    told = {"source": result.url, "title": result.title, "published_time": result.published_time}
    text = _headed(f"{result.title}\n{result.url}", result.content or result.description)
    return Document(
        id_=result.url, text=_cut(text, most), metadata={key: value for key, value in told.items() if value}
    )


def _headed(head: str, text: str) -> str:
    return f"{head}\n\n{text}".strip()


def _cut(text: str, most: int) -> str:
    note = f" … [cut: {len(text):,} characters]"
    return text if len(text) <= most else f"{text[: max(most - len(note), 0)]}{note}"[:most]
