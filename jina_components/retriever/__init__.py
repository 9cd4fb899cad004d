"""Retriever: documents that match a query."""

from jina_components.retriever.retriever import Retriever

__all__ = ["Retriever"]
