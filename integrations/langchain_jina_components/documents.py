"""Documents, from ours to LangChain's and back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from langchain_core.documents import Document as LangChainDocument

from jina_components.types import Document, ScoredDocument

SCORE = "relevance_score"
"""The name under which the metadata of a document have its score."""


def to_langchain(document: Document, **metadata: Any) -> LangChainDocument:
    """A document of LangChain, with further metadata; it shares nothing with ours."""
    return LangChainDocument(document.text, id=document.id, metadata={**deepcopy(dict(document.metadata)), **metadata})


def to_langchain_scored(hit: ScoredDocument) -> LangChainDocument:
    """A hit as a document of LangChain, with its score among the metadata."""
    return to_langchain(hit.document, **{SCORE: hit.score})


def from_langchain(document: LangChainDocument, id: str | None = None) -> Document:
    """Our document of one of LangChain's, or of the text and metadata of it under another id.

    Raises:
        InputError: the metadata are not JSON.
    """
    return Document(document.page_content, id or document.id or "", document.metadata)
