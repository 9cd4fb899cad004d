"""jina_components in Haystack (`pip install 'jina-components[haystack]'`).

A pipeline that was written down is read with `Pipeline.loads(text, allowed_modules=["haystack_jina_components"])`,
and before Haystack 3 with `Pipeline.loads(text)`.
"""

from haystack_jina_components.classifier import JinaDocumentClassifier, JinaTextClassifier
from haystack_jina_components.deep_search import JinaDeepSearch
from haystack_jina_components.document_converter import JinaDocumentConverter
from haystack_jina_components.document_embedder import JinaDocumentEmbedder
from haystack_jina_components.document_image_embedder import JinaDocumentImageEmbedder
from haystack_jina_components.document_splitter import JinaDocumentSplitter
from haystack_jina_components.document_store import JinaDocumentStore
from haystack_jina_components.fetcher import JinaFetcher
from haystack_jina_components.grounder import JinaGrounder
from haystack_jina_components.ranker import JinaRanker
from haystack_jina_components.reader_connector import JinaReaderConnector
from haystack_jina_components.reader_mode import JinaReaderMode
from haystack_jina_components.retriever import JinaDocumentWriter, JinaRetriever
from haystack_jina_components.store_retrievers import JinaBM25Retriever, JinaEmbeddingRetriever
from haystack_jina_components.text_embedder import JinaTextEmbedder
from haystack_jina_components.web_search import JinaWebSearch

__all__ = [
    "JinaBM25Retriever",
    "JinaDeepSearch",
    "JinaDocumentClassifier",
    "JinaDocumentConverter",
    "JinaDocumentEmbedder",
    "JinaDocumentImageEmbedder",
    "JinaDocumentSplitter",
    "JinaDocumentStore",
    "JinaDocumentWriter",
    "JinaEmbeddingRetriever",
    "JinaFetcher",
    "JinaGrounder",
    "JinaRanker",
    "JinaReaderConnector",
    "JinaReaderMode",
    "JinaRetriever",
    "JinaTextClassifier",
    "JinaTextEmbedder",
    "JinaWebSearch",
]
