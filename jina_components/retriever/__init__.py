"""Retriever: documents that match a query."""

from jina_components.retriever.fusion import Fusion
from jina_components.retriever.parents import Parents
from jina_components.retriever.retriever import Retriever

__all__ = ["Fusion", "Parents", "Retriever"]
