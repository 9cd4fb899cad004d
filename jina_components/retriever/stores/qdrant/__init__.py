"""Qdrant, or its imitation in this process, as a store."""

from jina_components.retriever.stores.qdrant.store import QdrantStore

__all__ = ["QdrantStore"]
