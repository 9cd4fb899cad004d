"""Work of many files and sources: in this process, in several, or on a Ray cluster; a run that is killed goes on."""

from jina_components.scale.embedding_jobs import EmbeddingReport, embed_file
from jina_components.scale.indexing import IndexReport, index_sources
from jina_components.scale.sources import remove_sources

__all__ = ["EmbeddingReport", "IndexReport", "embed_file", "index_sources", "remove_sources"]
