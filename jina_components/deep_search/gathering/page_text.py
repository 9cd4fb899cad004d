"""What of a page is kept on record: of a long one, the parts that share words with what is asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from jina_components.core.canonical import canonical_url
from jina_components.core.headings import headings
from jina_components.core.overlap import Overlap
from jina_components.core.quotable import Span
from jina_components.deep_search.gathering.cutting import cut
from jina_components.deep_search.gathering.hosts import is_page, is_web
from jina_components.types import Page, Usage, shorten

# Parts of a longer page, and how many of them are looked at more closely, as that takes an embedder.
_PART = 6_000
_PARTS = 16
# Links to keep of those at the head of a page, the ones whose text shares words with what is asked first.
_LINKS, _LINKS_SEEN = 100, 5_000
# Images to keep, and the longest of their URLs.
_IMAGES, _LONGEST_URL = 20, 2_000
_HEADING = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text: `text_of_the_page[start : start + len(text)] == text`."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class PageText:
    """What a page says.

    Attributes:
        url: Where it was found, after redirects.
        title: Its title.
        length: Characters of its text.
        stretches: Its text, or the parts of it to look at, in order.
        published_time: As the page tells it, or empty.
        headings: Where headings stand, and the trail of headings from there on; those that stand above the stretches.
        page_offsets: For paged sources, the offset at which each page begins; else empty.
        links: (text, URL) of links worth knowing, the most promising first.
        images: URLs of its first images, in order.
        usage: Tokens that reading it took.
    """

    url: str
    title: str
    length: int
    stretches: tuple[Stretch, ...] = ()
    published_time: str = ""
    headings: tuple[tuple[int, str], ...] = ()
    page_offsets: tuple[int, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    images: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def heading_at(self, place: int) -> str:
        """The headings that a place of the text stands under, or empty."""
        number = bisect_right(self.headings, place, key=lambda heading: heading[0])
        return self.headings[number - 1][1] if number else ""

    def page_at(self, place: int) -> int | None:
        """Number (from 1) of the page that holds a place; None for unpaged sources."""
        return max(bisect_right(self.page_offsets, place), 1) if self.page_offsets else None


def page_text(page: Page, query: str) -> PageText:
    """What a page says of a query, by its words; takes time in proportion to the page.

    Args:
        page: The page. Up to 96,000 characters of it are kept whole.
        query: What is asked.
    """
    text = page.content
    spans = [Span(0, len(text))] if len(text) <= _PART * _PARTS else _best_parts(text, query)
    return PageText(
        url=page.url,
        title=shorten(page.title, _HEADING),
        length=len(text),
        stretches=tuple(Stretch(start, text[start:end]) for start, end in spans),
        published_time=page.published_time,
        headings=tuple(_above(headings(text), spans)),
        page_offsets=page.page_offsets,
        links=_best_links(page.links, query),
        images=_first_images(page.images),
        usage=page.usage,
    )


def _best_parts(text: str, query: str) -> list[Span]:
    """Stretches made of the first part, which says what the text is about, and those with the most words in common."""
    parts = list(cut(text, _PART))
    scores = Overlap([text[start:end] for start, end in parts]).scores(query)
    best = sorted(range(1, len(parts)), key=lambda number: -scores[number])[: _PARTS - 1]
    joined: list[Span] = []
    before = -1
    for number in (0, *sorted(best)):
        if joined and number == before + 1:
            joined[-1] = Span(joined[-1].start, parts[number].end)
        else:
            joined.append(parts[number])
        before = number
    return joined


def _above(found: Sequence[tuple[int, str]], spans: Sequence[Span]) -> Iterable[tuple[int, str]]:
    """Of headings, those within the spans and the last one before each."""
    starts = [start for start, _ in found]
    numbers: dict[int, None] = {}
    for start, end in spans:
        first = max(bisect_right(starts, start) - 1, 0)
        numbers.update(dict.fromkeys(range(first, bisect_right(starts, end))))
    return ((found[number][0], shorten(found[number][1], _HEADING)) for number in numbers)


def _best_links(links: Sequence[tuple[str, str]], query: str) -> tuple[tuple[str, str], ...]:
    named = {url.partition("#")[0]: text for text, url in reversed(links[:_LINKS_SEEN]) if text.strip() and is_web(url)}
    found = [(shorten(text, _HEADING), url) for url, text in reversed(named.items())]
    scores = Overlap([text for text, _ in found]).scores(query)
    best: dict[str, tuple[str, str]] = {}
    for number in sorted(range(len(found)), key=lambda number: -scores[number]):
        if len(best) == _LINKS:
            break
        if is_page(url := found[number][1]):
            best.setdefault(canonical_url(url), found[number])
    return tuple(best.values())


def _first_images(images: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    urls = (url for _, url in images if is_web(url) and len(url) <= _LONGEST_URL)
    return tuple(islice(dict.fromkeys(urls), _IMAGES))
