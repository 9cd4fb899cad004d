"""Haystack's documents as ours, and ours as Haystack's."""

from __future__ import annotations

from typing import Any

from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding

from jina_components.types import Document as OurDocument
from jina_components.types import Page, ScoredDocument

BESIDES = "_haystack"
"""Where in our metadata stands what a Haystack document has besides text and `meta`."""

_FIELDS: dict[str, Any] = {"blob": ByteStream, "sparse_embedding": SparseEmbedding}


def check_documents(documents: object, component: object) -> None:
    """Refuse what is no list of documents, in the way of Haystack's components.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(documents, list) or not all(isinstance(each, Document) for each in documents):
        raise TypeError(f"{type(component).__name__} takes a list of Haystack's Documents, got {documents!r:.200}.")


def from_haystack(document: Document, **besides: Any) -> OurDocument:
    """Our document of the same id, whose metadata is `meta`.

    Args:
        document: The document.
        besides: What to keep of it besides.

    Raises:
        InputError: `meta` holds what is not JSON.
    """
    besides |= {name: getattr(document, name).to_dict() for name in _FIELDS if getattr(document, name) is not None}
    if document.content is None:
        besides["content"] = None
    metadata = {**document.meta, **({BESIDES: besides} if besides else {})}
    return OurDocument(document.content or "", document.id, metadata)


def to_haystack(document: OurDocument, *, score: float | None = None, embedding: list[float] | None = None) -> Document:
    """The document that `from_haystack` was given; or one of our text, id and metadata."""
    meta = dict(document.metadata)
    besides = meta.pop(BESIDES, {})
    fields = {name: kind.from_dict(besides[name]) for name, kind in _FIELDS.items() if name in besides}
    content = besides.get("content", document.text)
    return Document(id=document.id, content=content, meta=meta, score=score, embedding=embedding, **fields)


def scored(hit: ScoredDocument) -> Document:
    """A hit with its score."""
    return to_haystack(hit.document, score=float(hit.score))


def page_document(page: Page, meta: dict[str, Any] | None = None) -> Document:
    """A page that was read, with its content as Markdown; `meta` goes before what the page says of itself."""
    facts = {
        "title": page.title, "url": page.url, "description": page.description, "published_time": page.published_time,
        "language": page.language, "warnings": list(page.warnings),
    }  # fmt: skip
    told = {name: fact for name, fact in facts.items() if fact}
    return Document(content=page.content, meta={**told, **(meta or {})})
