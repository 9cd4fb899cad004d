"""A store over a vector index that someone else made, which says less of itself than a store must know."""

from jina_components.retriever.stores.wrapped.record import KEY_FIELD, plain_metadata, plain_text
from jina_components.retriever.stores.wrapped.store import VectorEngine, WrappedStore

__all__ = ["KEY_FIELD", "VectorEngine", "WrappedStore", "plain_metadata", "plain_text"]
