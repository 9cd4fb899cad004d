"""The tools: what each is called, says of itself, takes and does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jina_components.service.mcp import arguments as takes
from jina_components.service.mcp.ranking import (
    classify_text,
    deduplicate_images,
    deduplicate_strings,
    sort_by_relevance,
)
from jina_components.service.mcp.reading import (
    capture_screenshot_url,
    guess_datetime_url,
    parallel_read_url,
    read_url,
)
from jina_components.service.mcp.results import Content
from jina_components.service.mcp.searching import (
    ARXIV,
    JINA_BLOG,
    SSRN,
    WEB,
    search_images,
    searching,
    searching_at_once,
)
from jina_components.service.mcp.session import primer, show_api_key
from jina_components.service.mcp.visit import Visit


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
        tags: Names by which several are chosen together.
        about: What it does, for the model that may call it.
        takes: Its arguments.
        run: Does it.
        needs: The model of the service without which it is left out.
        is_cut: Whether what it gives is cut to the tokens that a client takes.
    """

    tags: tuple[str, ...]
    about: str
    takes: type[takes.Arguments]
    run: Callable[[Any, Visit], Awaitable[list[Content]]]
    needs: str = ""
    is_cut: bool = False


_READS = "Reads a page or a PDF and gives it as clean Markdown, without menus and advertisements."
TOOLS: Mapping[str, Tool] = {
    "primer": Tool(
        ("utility",), "Tells what time it is, and what is known of the user's client. Call it before questions that "
        "depend on the time.", takes.Nothing, primer,
    ),
    "show_api_key": Tool(
        ("utility",), "Tells which key the requests are made with: its first characters alone.", takes.Nothing,
        show_api_key,
    ),
    "read_url": Tool(
        ("read",), f"{_READS} With a question, only the passages that answer it.", takes.ReadUrl, read_url, is_cut=True
    ),
    "capture_screenshot_url": Tool(
        ("read",), "Takes a picture of a page, for what must be seen and not read.", takes.CaptureScreenshot,
        capture_screenshot_url,
    ),
    "guess_datetime_url": Tool(
        ("utility",), "Tells when a page says that it was last changed, or else published, and how sure that is, from "
        "0 to 100.", takes.GuessDatetime, guess_datetime_url,
    ),
    "search_web": Tool(
        ("search",), "Searches the web. Gives titles, addresses and snippets; read_url gives the pages.",
        takes.SearchWeb, searching(WEB),
    ),
    "search_arxiv": Tool(
        ("search",), "Searches the preprints of arXiv: physics, mathematics, computer science and others.",
        takes.Search, searching(ARXIV),
    ),
    "search_ssrn": Tool(
        ("search",), "Searches the working papers of SSRN: economics, law, social sciences.", takes.Search,
        searching(SSRN),
    ),
    "search_images": Tool(
        ("search",), "Searches the web for images and shows them.", takes.SearchImages, search_images
    ),
    "search_jina_blog": Tool(
        ("search",), "Searches the news of Jina AI, jina.ai/news, for models, products and how they are made.",
        takes.Search, searching(JINA_BLOG),
    ),
    "parallel_read_url": Tool(
        ("parallel", "read"), f"{_READS} Of several pages at once.", takes.ParallelRead, parallel_read_url, is_cut=True
    ),
    "parallel_search_web": Tool(
        ("parallel",), "Searches the web for several queries at once.", takes.ParallelSearchWeb, searching_at_once(WEB)
    ),
    "parallel_search_arxiv": Tool(
        ("parallel",), "Searches arXiv for several queries at once.", takes.ParallelSearch, searching_at_once(ARXIV)
    ),
    "parallel_search_ssrn": Tool(
        ("parallel",), "Searches SSRN for several queries at once.", takes.ParallelSearch, searching_at_once(SSRN)
    ),
    "sort_by_relevance": Tool(
        ("rerank",), "Puts texts in the order of what they have to do with a query, best first.",
        takes.SortByRelevance, sort_by_relevance, needs="reranker",
    ),
    "classify_text": Tool(
        ("rerank",), "Chooses a label for each text, by what the labels mean.", takes.ClassifyText, classify_text,
        needs="embedder",
    ),
    "deduplicate_strings": Tool(
        ("rerank",), "Keeps the texts that say different things and leaves out those that repeat them.",
        takes.DeduplicateStrings, deduplicate_strings, needs="embedder",
    ),
    "deduplicate_images": Tool(
        ("rerank",), "Keeps the images that show different things and leaves out those that repeat them.",
        takes.DeduplicateImages, deduplicate_images, needs="image_embedder",
    ),
}  # fmt: skip

LEFT_OUT: Mapping[str, str] = {
    "expand_query": "no model here rewrites queries: the model that calls the tools can",
    "extract_pdf": "figures and formulas are not cut out of PDFs here: read_url gives their text and tables",
    "search_bibtex": "citations are in no source that this service asks",
    "search_web_deep": "search_web finds pages, and read_url gives the passages of those that answer a question",
}
"""Tools of the public server that are not here, and why."""

TAGS = tuple(dict.fromkeys(tag for tool in TOOLS.values() for tag in tool.tags))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools a client wants; excluding has the last word, and each of the four is empty for none.

    Attributes:
        include_tools, include_tags: Only these; all where both are empty. What is not there is passed over.
        exclude_tools, exclude_tags: Not these.
    """

    include_tools: frozenset[str] = frozenset()
    include_tags: frozenset[str] = frozenset()
    exclude_tools: frozenset[str] = frozenset()
    exclude_tags: frozenset[str] = frozenset()

    def of(self, names: Iterable[str]) -> list[str]:
        """Those of these tools."""
        return [name for name in names if self._has(name, frozenset(TOOLS[name].tags))]

    def _has(self, name: str, tags: frozenset[str]) -> bool:
        if name in self.exclude_tools or tags & self.exclude_tags:
            return False
        wants_all = not self.include_tools and not self.include_tags
        return wants_all or name in self.include_tools or bool(tags & self.include_tags)


def choice(given: Mapping[str, str]) -> Choice:
    """The choice of a query string: names between commas, by `include_tools` and so on."""
    return Choice(
        **{
            name: frozenset(word.strip().lower() for word in given.get(name, "").split(",") if word.strip())
            for name in Choice.__slots__
        }
    )
