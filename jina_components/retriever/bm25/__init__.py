"""BM25 over an index that grows and shrinks."""

from jina_components.retriever.bm25.analysis import Analyzer
from jina_components.retriever.bm25.index import BM25Index

__all__ = ["Analyzer", "BM25Index"]
