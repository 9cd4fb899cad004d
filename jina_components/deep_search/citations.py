"""Quotes with their place in the source, verified."""

from __future__ import annotations

from jina_components.deep_search.quotable import Span
from jina_components.types import Citation, Document


def cite(document: Document, span: Span) -> Citation:
    """The citation of a stretch of a document's text.

    A chunk of a source (metadata `source`, `start`, `end`) is cited by the source and the offsets in its
    text; any other document by its id and the offsets in its own text.
    """
    metadata = document.metadata
    offset = 0
    source = document.id
    if isinstance(metadata.get("source"), str):
        source = metadata["source"]
        start, end = metadata.get("start", 0), metadata.get("end")
        # A chunk whose text was changed after it was cut cannot be placed in its source.
        if isinstance(start, int) and (end is None or end - start == len(document.text)):
            offset = start
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
