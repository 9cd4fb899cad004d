"""Passages: stretches of sources, small enough to be judged against a claim, and the choice of the best."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jina_components.core.boundaries import clauses, words
from jina_components.core.headings import headings
from jina_components.core.overlap import Overlap, terms
from jina_components.core.quotable import Span, quotable_spans
from jina_components.grounder.sources import Source
from jina_components.protocols import SupportsRerank
from jina_components.types import Usage, shorten

# A passage is a sentence with its neighbours, up to so many characters; a longer sentence is cut.
_LENGTH = 700
# Passages that a reranker gets to order: those with the most words in common with the claim. On SciFact (40 claims,
# 10 abstracts each) 12 of them hold the evidence in 95 of 100 cases; of 16 to order in 90, of 64 in 93.
_CANDIDATES = 32
_QUESTION_MARKS = ("?", "？", "؟")


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a source: `source_text[start:end] == text`.

    Attributes:
        text: Its words.
        url: URL, path or id of the source.
        title: Title of the source, or empty.
        start: Where it stands in the source's text, in code points.
        heading: The headings it stands under, `Install > Linux`; or empty.
    """

    text: str
    url: str
    title: str = ""
    start: int = 0
    heading: str = ""

    @property
    def end(self) -> int:
        """Where it ends in the source's text."""
        return self.start + len(self.text)

    def __repr__(self) -> str:
        return f"Passage([{self.start}:{self.end}] of {self.url!r}, {shorten(self.text)!r})"


class _Window(NamedTuple):
    """A passage and the sentence it is built around, by its place in the source's text."""

    passage: Passage
    center: Span

    @property
    def sentence(self) -> str:
        """The sentence."""
        return self.passage.text[self.center.start - self.passage.start : self.center.end - self.passage.start]


class Pool:
    """The passages of some sources, from which the best for a claim are chosen.

    Args:
        sources: The sources.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._windows = [window for source in sources for window in _windows(source)]
        self._overlap = Overlap([in_context(window.passage) for window in self._windows])

    def __len__(self) -> int:
        return len(self._windows)

    def best(self, claim: str, limit: int, reranker: SupportsRerank | None) -> tuple[list[Passage], Usage]:
        """The best passages for a claim, best first, and what ranking them cost.

        They are ranked by the reranker, which gets the best by words; or by words alone. A sentence that is said twice,
        or lies in another's passage, is taken once, and no source gives more than its share while others have
        something to say.
        """
        by_words = self._overlap.scores(claim)
        order = sorted(range(len(self._windows)), key=lambda number: -by_words[number])
        usage = Usage()
        if reranker is not None and order:
            order = self._candidates(order)
            texts = [in_context(self._windows[number].passage) for number in order]
            ranking = reranker.rerank(claim, texts, truncate=True)
            order, usage = [order[hit.index or 0] for hit in ranking], ranking.usage
        else:
            order = [number for number in order if by_words[number] > 0]
        return [window.passage for window in _diverse([self._windows[number] for number in order], limit)], usage

    def _candidates(self, order: Sequence[int]) -> list[int]:
        """The first of an order, and the first of each source, which may say it in other words."""
        first: dict[str, int] = {}
        for number in order:
            first.setdefault(self._windows[number].passage.url, number)
        return list(dict.fromkeys([*order[:_CANDIDATES], *list(first.values())[:_CANDIDATES]]))


def in_context(passage: Passage) -> str:
    """A passage under its title and headings, which name what it speaks of."""
    return "\n".join(filter(None, (passage.title, passage.heading, passage.text)))


def _diverse(windows: Sequence[_Window], limit: int) -> list[_Window]:
    """The first that say something new, where no source has more than its share before the others had theirs."""
    urls = {window.passage.url for window in windows}
    share = max(2, -(-2 * limit // max(len(urls), 1)))
    chosen: list[_Window] = []
    left: list[_Window] = []
    taken: dict[str, list[_Window]] = {url: [] for url in urls}
    said: set[tuple[str, ...]] = set()
    for window in windows:
        if len(chosen) == limit:
            break
        says, of_source = tuple(terms(window.sentence)), taken[window.passage.url]
        if says in said or any(_is_within(window, other.passage) for other in of_source):
            continue
        said.add(says)
        if len(of_source) < share:
            of_source.append(window)
            chosen.append(window)
        elif len(left) < limit:
            left.append(window)
    return [*chosen, *left][:limit]


def _is_within(window: _Window, passage: Passage) -> bool:
    return passage.start <= window.center.start and window.center.end <= passage.end


def _windows(source: Source) -> Iterator[_Window]:
    spans = [piece for span in quotable_spans(source.text) for piece in _cut(source.text, span)]
    headings = _Headings(source)
    for number, span in enumerate(spans):
        start, end = span
        if source.text.endswith(_QUESTION_MARKS, start, end):  # which says nothing
            continue
        heading = headings.at(start)
        if number and end - spans[number - 1].start <= _LENGTH and headings.at(spans[number - 1].start) == heading:
            start = spans[number - 1].start
        following = spans[number + 1] if number + 1 < len(spans) else None
        if following and following.end - start <= _LENGTH and headings.at(following.start) == heading:
            end = following.end
        passage = Passage(source.text[start:end], source.url, source.title, source.start + start, heading)
        yield _Window(passage, Span(source.start + span.start, source.start + span.end))


def _cut(text: str, span: Span) -> Iterator[Span]:
    """A span in pieces of which none is too long: at clauses, else at words, else anywhere."""
    start, end = span
    while end - start > _LENGTH:
        high = start + _LENGTH
        place = max(clauses(text, start, high), default=0) or max(words(text, start, high), default=0) or high
        stop = start + len(text[start:place].rstrip())
        if stop > start:
            yield Span(start, stop)
        start = place + len(text[place:end]) - len(text[place:end].lstrip())
    if end > start:
        yield Span(start, end)


class _Headings:
    """The headings that places of a source stand under; asked for in ascending order."""

    def __init__(self, source: Source) -> None:
        self._found = headings(source.text)
        self._starts = [start for start, _ in self._found]
        self._outer = source.heading

    def at(self, place: int) -> str:
        number = bisect_right(self._starts, place)
        return self._found[number - 1][1] if number else self._outer
