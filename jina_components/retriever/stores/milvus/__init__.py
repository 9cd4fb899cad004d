"""Milvus, or Milvus Lite in this process, as a store."""

from jina_components.retriever.stores.milvus.store import MilvusStore

__all__ = ["MilvusStore"]
