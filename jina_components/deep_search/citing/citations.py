"""Quotes with their place in the source."""

from __future__ import annotations

from collections.abc import Sequence

from jina_components.core.origins import origin_of
from jina_components.core.quotable import Span
from jina_components.types import Citation, Document


def cite(document: Document, span: Span, *, score: float = 1.0) -> Citation:
    """The citation of a stretch of a document's text, by its source and offsets there (`origin_of`).

    Args:
        document: The document.
        span: Start and end in its text.
        score: How similar the quote is to what cites it, 0 to 1.
    """
    origin = origin_of(document)
    page, published = document.metadata.get("page"), document.metadata.get("published_time")
    return Citation(
        quote=document.text[span.start : span.end],
        source=origin.source,
        start=origin.start + span.start,
        end=origin.start + span.end,
        document_id=document.id,
        title=origin.title,
        page=page if isinstance(page, int) else None,
        published_time=published if isinstance(published, str) else "",
        score=min(max(score, 0.0), 1.0),
    )


def number(cited: Sequence[Sequence[Citation]], *, limit: int) -> tuple[tuple[Citation, ...], list[tuple[int, ...]]]:
    """The citations of some sentences in the order of their first use, and for each sentence their numbers, from 1.

    Equal quotes of a source are one. Where there are too many, the first of each sentence comes before the others.

    Args:
        cited: For each sentence what it cites, best first.
        limit: How many citations there may be.
    """
    firsts = [one for citations in cited for one in citations[:1]]
    others = [one for citations in cited for one in citations[1:]]
    best: dict[tuple[str, str], Citation] = {}
    for one in [*firsts, *others]:
        known = best.get(_words(one))
        if known is None and len(best) == limit:
            continue
        best[_words(one)] = one if known is None or one.score > known.score else known
    numbers: dict[tuple[str, str], int] = {}
    rows = []
    for citations in cited:
        found = dict.fromkeys(key for one in citations if (key := _words(one)) in best)
        rows.append(tuple(sorted(numbers.setdefault(key, len(numbers) + 1) for key in found)))
    return tuple(best[key] for key in numbers), rows


def _words(citation: Citation) -> tuple[str, str]:
    return citation.source, " ".join(citation.quote.split())
