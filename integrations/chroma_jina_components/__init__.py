"""jina_components in Chroma (`pip install chromadb`)."""

from chroma_jina_components.embedding_function import JinaEmbeddingFunction

__all__ = ["JinaEmbeddingFunction"]
