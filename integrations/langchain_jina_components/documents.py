"""Documents, from ours to LangChain's and back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from langchain_core.documents import Document as LangChainDocument

from jina_components.types import Document, ScoredDocument

SCORE = "relevance_score"
"""The name under which the metadata of a document have its score."""

_START = "start_index"  # where LangChain's splitters say that a chunk begins


def to_langchain(document: Document, **metadata: Any) -> LangChainDocument:
    """A document of LangChain, with further metadata; it shares nothing with ours."""
    kept = deepcopy(dict(document.metadata))
    if _START in kept:  # `from_langchain` has said it twice
        kept = {name: value for name, value in kept.items() if name not in ("start", "end")}
    return LangChainDocument(document.text, id=document.id, metadata={**kept, **metadata})


def to_langchain_scored(hit: ScoredDocument) -> LangChainDocument:
    """A hit as a document of LangChain, with its score among the metadata."""
    return to_langchain(hit.document, **{SCORE: hit.score})


def from_langchain(document: LangChainDocument, id: str | None = None) -> Document:
    """Our document of one of LangChain's, or of the text and metadata of it under another id.

    Where it says at which place it begins, citations count from there.

    Raises:
        InputError: the metadata are not JSON.
    """
    text, metadata = document.page_content, document.metadata
    if isinstance(start := metadata.get(_START), int):
        metadata = {**metadata, "start": start, "end": start + len(text)}
    return Document(text, id or document.id or "", metadata)
