"""Passages of pages: what of a page is evidence for a question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from jina_components.core.quotable import Span
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.gathering.cutting import cut
from jina_components.deep_search.gathering.page_text import PageText
from jina_components.types import Document

# As in Jina's DeepSearch: a shorter page is taken whole; of a longer one, windows of so many characters, whose chunks
# are the nearest to the question. There it is their mean that counts; here the best one counts as much, which a mean
# of twenty hides. Of the spans that answer the questions of Chroma's chunking evaluation (276 questions, texts of
# 40,000 to 118,000 characters) the windows hold .987 (by the mean alone .985); by words, .999 (.993).
_WHOLE = 12_000
_CHUNK = 300
_WINDOW = 6_000
_FEWEST, _MOST = 2, 5
# Characters of a passage, so that a reranker and a prompt can take it whole.
_PASSAGE = 2_000


async def passages(page: PageText, question: str, comparer: Comparer) -> list[Document]:
    """The passages of a page that bear on a question, in the order of the page.

    Returns:
        Documents of up to 2,000 characters, `page.content[start:end] == text`, with the metadata `source` (the URL),
        `title`, `start`, `end`, and where known `heading`, `published_time` and `page` (from 1).
    """
    if page.length < _WHOLE:
        return [document for stretch in page.stretches for document in _documents(page, stretch.start, stretch.text)]
    chunks = [(number, span) for number, stretch in enumerate(page.stretches) for span in cut(stretch.text, _CHUNK)]
    scores = await comparer.passages(question, _texts(page, chunks))
    most = min(max(page.length // _WINDOW, _FEWEST), _MOST)
    documents = []
    for first, last in sorted(_windows(chunks, scores, most)):
        stretch = page.stretches[chunks[first][0]]
        start, end = chunks[first][1].start, chunks[last][1].end
        documents += _documents(page, stretch.start + start, stretch.text[start:end])
    return documents


def _texts(page: PageText, chunks: Sequence[tuple[int, Span]]) -> list[str]:
    """The chunks with the blanks behind them, since a model that reads them together reads on."""
    followers = [*chunks[1:], (-1, Span(0, 0))]
    return [
        page.stretches[number].text[span.start : following.start if number == other else span.end]
        for (number, span), (other, following) in zip(chunks, followers, strict=True)
    ]


def _windows(chunks: Sequence[tuple[int, Span]], scores: Sequence[float], most: int) -> list[tuple[int, int]]:
    """The best windows that do not overlap, as the places of their first and last chunks."""
    sums = [0.0, *accumulate(scores)]
    found: list[tuple[float, int, int]] = []
    last = -1
    for first, (stretch, span) in enumerate(chunks):
        end = max(last, first)
        while (
            end + 1 < len(chunks) and chunks[end + 1][0] == stretch and chunks[end + 1][1].end - span.start <= _WINDOW
        ):
            end += 1
        if end > last:  # else it is but the rest of the window before
            mean = (sums[end + 1] - sums[first]) / (end + 1 - first)
            found.append(((mean + max(scores[first : end + 1])) / 2, first, end))
        last = max(last, end)
    chosen: list[tuple[int, int]] = []
    for _, first, end in sorted(found, key=lambda window: (-window[0], window[1])):
        if len(chosen) == most:
            break
        if all(end < other or first > after for other, after in chosen):
            chosen.append((first, end))
    return chosen


def _documents(page: PageText, offset: int, text: str) -> list[Document]:
    breaks = [place - offset for place in page.page_offsets if offset < place < offset + len(text)]
    documents = []
    for start, end in cut(text, _PASSAGE, breaks=breaks):
        place = offset + start
        facts: dict[str, Any] = {"source": page.url, "title": page.title, "start": place, "end": offset + end}
        further = {
            "heading": page.heading_at(place),
            "published_time": page.published_time,
            "page": page.page_at(place),
        }
        facts |= {name: value for name, value in further.items() if value}
        documents.append(Document(text[start:end], metadata=facts))
    return documents
