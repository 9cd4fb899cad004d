"""For tests: a deterministic embedder that needs no model, and checks that any implementation can run."""

from jina_components.testing.embedders import check_embedder
from jina_components.testing.fakes import FakeEmbedder
from jina_components.testing.rerankers import check_reranker
from jina_components.testing.retrievers import check_retriever

__all__ = ["FakeEmbedder", "check_embedder", "check_reranker", "check_retriever"]
