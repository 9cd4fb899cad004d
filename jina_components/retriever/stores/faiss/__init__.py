"""The default store, in this process: SQLite holds the truth, FAISS and BM25 find it."""

from jina_components.retriever.stores.faiss.repairs import StoreReport
from jina_components.retriever.stores.faiss.store import FaissStore

__all__ = ["FaissStore", "StoreReport"]
