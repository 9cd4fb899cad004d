"""What a search of the web finds."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from jina_components.errors import JinaComponentsError
from jina_components.types.pages import Page
from jina_components.types.texts import Usage, shorten


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit of a web search.

    Attributes:
        url: The page; of images found without one, the image.
        title: Its title, as the search engine has it.
        description: A snippet of it, or its summary.
        published_time: Its date, as the search engine tells it: ISO 8601, or in words ("3 days ago"); or empty.
        source: Who publishes it, or empty.
        image_url: Of images, the image; else a picture of the page; or empty.
        image_width, image_height: In pixels, where known.
        favicon: URL of the site's icon, or empty.
        site_links: (title, URL) of further pages of the site that the search engine lists under the hit.
        providers: Names of the search providers that found it.
        page: The page, when it has been read.
        error: Why the page could not be read, when that was tried.
    """

    url: str
    title: str = ""
    description: str = ""
    published_time: str = ""
    source: str = ""
    image_url: str = ""
    image_width: int | None = None
    image_height: int | None = None
    favicon: str = ""
    site_links: tuple[tuple[str, str], ...] = ()
    providers: tuple[str, ...] = ()
    page: Page | None = None
    error: JinaComponentsError | None = field(default=None, compare=False)

    @property
    def content(self) -> str:
        """The page's content; empty when it was not read."""
        return self.page.content if self.page else ""

    def __repr__(self) -> str:
        read = f", {len(self.content)} characters read" if self.page else ""
        return f"SearchResult({self.url!r}, {shorten(self.title)!r}{read})"


@dataclass(frozen=True, slots=True, repr=False)
class SearchResults(Sequence[SearchResult]):
    """The hits of a query, best first; behaves as a sequence of them.

    Attributes:
        query: What was sought.
        results: The hits.
        usage: Tokens of the pages read.
        warnings: What a reader of the hits should know: providers that failed, and why; options they ignored …
    """

    query: str
    results: tuple[SearchResult, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> SearchResult: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SearchResult, ...]: ...
    def __getitem__(self, index: int | slice) -> SearchResult | tuple[SearchResult, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[SearchResult]:
        return iter(self.results)

    def __repr__(self) -> str:
        warnings = f", warnings={list(self.warnings)!r}" if self.warnings else ""
        return f"SearchResults({self.query!r}, {list(self.results)!r}{warnings})"

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><b>{html.escape(hit.title)}</b> <small>{html.escape(hit.url)}</small><br>"
            f"{html.escape(shorten(hit.description or hit.content, 200))}"
            f"{f'<br><i>{html.escape(str(hit.error))}</i>' if hit.error else ''}</li>"
            for hit in self.results
        )
        warnings = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return f"<ol>{items}</ol>" + (f"<ul>{warnings}</ul>" if warnings else "")
