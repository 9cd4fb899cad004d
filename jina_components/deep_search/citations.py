"""Quotes with their place in the source."""

from __future__ import annotations

from jina_components.core.origins import origin_of
from jina_components.core.quotable import Span
from jina_components.types import Citation, Document


def cite(document: Document, span: Span) -> Citation:
    """The citation of a stretch of a document's text, by its source and offsets there (`origin_of`)."""
    origin, page = origin_of(document), document.metadata.get("page")
    return Citation(
        quote=document.text[span.start : span.end],
        source=origin.source,
        start=origin.start + span.start,
        end=origin.start + span.end,
        document_id=document.id,
        title=origin.title,
        page=page if isinstance(page, int) else None,
    )
