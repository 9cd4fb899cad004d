"""Quotes with their place in the source."""

from __future__ import annotations

from jina_components.deep_search.quotable import Span
from jina_components.types import Citation, Document


def cite(document: Document, span: Span) -> Citation:
    """The citation of a stretch of a document's text.

    A chunk (metadata `source`, `start`, `end`) is cited by its source and the offsets in the source's text;
    a document with a `source` and no `start` is that source's text; any other is cited by its id.
    """
    metadata = document.metadata
    source, offset = document.id, 0
    if isinstance(metadata.get("source"), str):
        start, end = metadata.get("start", 0), metadata.get("end")
        # A chunk whose text was changed after it was cut has no place in its source.
        if isinstance(start, int) and (end is None or end - start == len(document.text)):
            source, offset = metadata["source"], start
    page, title = metadata.get("page"), metadata.get("title")
    return Citation(
        quote=document.text[span.start : span.end],
        source=source,
        start=offset + span.start,
        end=offset + span.end,
        document_id=document.id,
        title=title if isinstance(title, str) else "",
        page=page if isinstance(page, int) else None,
    )
