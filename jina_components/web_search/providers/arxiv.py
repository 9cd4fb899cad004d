"""arXiv: preprints (info.arxiv.org/help/api, "User's Manual")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from jina_components.errors import WebError
from jina_components.search_options import SearchOptions, TimeRange
from jina_components.types import Page, SearchResult
from jina_components.web_search.provider import Capabilities, Rate
from jina_components.web_search.providers.api import ApiProvider

_ATOM = "{http://www.w3.org/2005/Atom}"
_DAYS: dict[TimeRange, float] = {"day": 1, "week": 7, "month": 31, "year": 366}
_PREFIXED = re.compile(r"\(*(ti|au|abs|co|jr|cat|rn|id|all):")
_PHRASE_OR_WORD = re.compile(r'"([^"]*)"|[^\W_]+(?:[-.][^\W_]+)*')
# Of a question, the words that an abstract need not have; the API finds what has all words.
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has", "have", "how", "in",
    "into", "is", "it", "its", "of", "on", "or", "that", "the", "their", "there", "these", "this", "those", "to",
    "was", "were", "what", "when", "where", "which", "who", "why", "will", "with", "using", "about", "paper",
    "papers",
})  # fmt: skip


class ArxivSearch(ApiProvider):
    """Asks the arXiv API, which needs no key. Results have the abstracts as their pages, which link to the papers.

    A query finds what has all its words, or phrases in quotation marks, but for words like "the"; one in arXiv's own
    language (`ti:attention AND au:vaswani`) is passed on.

    Args:
        base_url: Where the API begins.
        timeout: Seconds for a call.
        rate: How often to call; by default once in three seconds, as arXiv asks.

    Raises:
        ConfigError: the URL or a limit makes no sense.
    """

    name = "arxiv"
    can = Capabilities(kinds={"web": 100}, options=frozenset({"page", "in_title", "time_range"}), rate=Rate(1, 3.0))

    def __init__(
        self, *, base_url: str = "https://export.arxiv.org/api", timeout: float = 10.0, rate: Rate | None = None
    ) -> None:
        super().__init__(base_url, api_key=None, auth_header="authorization", timeout=timeout, rate=rate)

    async def search(self, query: str, options: SearchOptions) -> list[SearchResult]:
        """The hits, best first.

        Raises:
            WebError: the API did not answer, refused, or answered out of form.
        """
        written = _written(query, options, now=datetime.now(UTC))
        if not written:  # neither words nor limits
            return []
        params: dict[str, Any] = {
            "search_query": written,
            "start": (options.page - 1) * options.count,
            "max_results": options.count,
            "sortBy": "relevance",
        }
        return _results(await self._api.get_bytes("query", params=params), self._api.base_url)


def _written(query: str, options: SearchOptions, *, now: datetime) -> str:
    """The query in arXiv's language."""
    parts = [f"({query})"] if _PREFIXED.match(query.strip()) else _terms(query)
    titles = [f'ti:"{plain}"' for words in options.in_title if (plain := _plain(words))]
    if titles:
        parts.append(f"({' OR '.join(titles)})")
    if options.time_range:
        since = now - timedelta(days=_DAYS[options.time_range])
        parts.append(f"submittedDate:[{since:%Y%m%d%H%M} TO {now:%Y%m%d%H%M}]")
    return " AND ".join(parts)


def _terms(query: str) -> list[str]:
    found = [(match[0], _plain(match[1] or "")) for match in _PHRASE_OR_WORD.finditer(query)]
    named = [(word, phrase) for word, phrase in found if phrase or not word.startswith('"')]
    wanted = [part for part in named if part[0].lower() not in _STOP_WORDS] or named
    return [f'all:"{phrase}"' if phrase else f"all:{word}" for word, phrase in wanted]


def _plain(words: str) -> str:
    return " ".join(match[0] for match in re.finditer(r"[\w.-]+", words))


def _results(content: bytes, url: str) -> list[SearchResult]:
    try:
        feed = _parsed(content)
    except (ValueError, ET.ParseError) as error:
        raise WebError(f"{url} did not answer with an Atom feed ({error}); check base_url.", url) from error
    return list(_entries(feed, url))


def _parsed(content: bytes) -> ET.Element:
    """The feed. A document type, which could define entities, is refused; of UTF-8 alone, so that none hides."""
    text = content.decode("utf-8")
    if "<!" in text.replace("<![CDATA[", "").replace("<!--", ""):
        raise ValueError("it declares a document type")
    return ET.fromstring(text)  # noqa: S314 (no document type: checked above)


def _entries(feed: ET.Element, url: str) -> Iterator[SearchResult]:
    for entry in feed.iter(f"{_ATOM}entry"):
        address = _text(entry, "id")
        if "/api/errors" in address:
            raise WebError(f"{url} refuses the query: {_text(entry, 'summary')}.", url)
        found = SearchResult(
            url=address.replace("http://", "https://", 1),
            title=_text(entry, "title"),
            description=_text(entry, "summary"),
            published_time=_text(entry, "published"),
            source=_authors(entry),
        )
        yield replace(found, page=_abstract(found) if found.description else None)


def _abstract(found: SearchResult) -> Page:
    """What a page of an abstract says, and where the paper is, which it leads to."""
    paper = found.url.replace("/abs/", "/pdf/", 1)
    return Page(
        found.url,
        found.title,
        found.description,
        published_time=found.published_time,
        links=((f"PDF: {found.title}", paper),) if paper != found.url else (),
    )


def _authors(entry: ET.Element) -> str:
    names = [_text(author, "name") for author in entry.iter(f"{_ATOM}author")]
    return ", ".join(names[:3]) + (" et al." if len(names) > 3 else "")


def _text(element: ET.Element, name: str) -> str:
    return " ".join(element.findtext(f"{_ATOM}{name}", "").split())
