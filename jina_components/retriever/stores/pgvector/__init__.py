"""PostgreSQL with the extension pgvector as a store."""

from jina_components.retriever.stores.pgvector.store import PgvectorStore

__all__ = ["PgvectorStore"]
