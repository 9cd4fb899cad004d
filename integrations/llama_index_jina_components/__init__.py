"""jina_components in LlamaIndex, and LlamaIndex in jina_components (`pip install 'jina-components[llama-index]'`)."""

from llama_index_jina_components.chat import LlamaIndexChat
from llama_index_jina_components.deep_search import JinaDeepSearch
from llama_index_jina_components.embeddings import JinaEmbedding
from llama_index_jina_components.node_parser import JinaNodeParser
from llama_index_jina_components.query_engine import JinaDeepSearchQueryEngine
from llama_index_jina_components.reader import JinaReader
from llama_index_jina_components.rerank import JinaRerank
from llama_index_jina_components.retriever import JinaRetriever
from llama_index_jina_components.store import LlamaIndexStore
from llama_index_jina_components.tools import JinaGroundToolSpec, JinaReaderToolSpec, JinaSearchToolSpec
from llama_index_jina_components.vector_store import JinaVectorStore

__all__ = [
    "JinaDeepSearch",
    "JinaDeepSearchQueryEngine",
    "JinaEmbedding",
    "JinaGroundToolSpec",
    "JinaNodeParser",
    "JinaReader",
    "JinaReaderToolSpec",
    "JinaRerank",
    "JinaRetriever",
    "JinaSearchToolSpec",
    "JinaVectorStore",
    "LlamaIndexChat",
    "LlamaIndexStore",
]
