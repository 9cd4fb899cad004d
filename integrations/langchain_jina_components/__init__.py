"""jina_components in LangChain, and LangChain in jina_components (`pip install 'jina-components[langchain]'`)."""

from langchain_jina_components.chat import LangChainChat
from langchain_jina_components.classifier import JinaClassifier
from langchain_jina_components.deep_search import ChatJinaDeepSearch
from langchain_jina_components.embeddings import JinaEmbeddings
from langchain_jina_components.loader import JinaReaderLoader
from langchain_jina_components.rerank import JinaRerank
from langchain_jina_components.retriever import JinaRetriever
from langchain_jina_components.store import LangChainStore
from langchain_jina_components.text_splitter import JinaTextSplitter
from langchain_jina_components.tools import JinaGround, JinaReader, JinaSearch, JinaSearchAPIWrapper
from langchain_jina_components.vector_store import JinaVectorStore
from langchain_jina_components.vectors import GivenVectors

__all__ = [
    "ChatJinaDeepSearch",
    "GivenVectors",
    "JinaClassifier",
    "JinaEmbeddings",
    "JinaGround",
    "JinaReader",
    "JinaReaderLoader",
    "JinaRerank",
    "JinaRetriever",
    "JinaSearch",
    "JinaSearchAPIWrapper",
    "JinaTextSplitter",
    "JinaVectorStore",
    "LangChainChat",
    "LangChainStore",
]
