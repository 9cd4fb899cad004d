"""Composable search components: read, segment, embed, retrieve, rerank, answer with verified citations.

Names are resolved on first use, so that importing the package stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jina_components.chat import OpenAIChat as OpenAIChat
    from jina_components.classifier import Classifier as Classifier
    from jina_components.classifier import ClassifierRegistry as ClassifierRegistry
    from jina_components.core.late_interaction import max_sim as max_sim
    from jina_components.core.quantization import calibrate as calibrate
    from jina_components.core.quantization import dequantize as dequantize
    from jina_components.core.quantization import quantize as quantize
    from jina_components.core.quantization import search_quantized as search_quantized
    from jina_components.deep_search import Budget as Budget
    from jina_components.deep_search import DeepSearchAgent as DeepSearchAgent
    from jina_components.deep_search import DeepSearchOptions as DeepSearchOptions
    from jina_components.deep_search import Prices as Prices
    from jina_components.embedder import Embedder as Embedder
    from jina_components.embedding_cache import EmbeddingCache as EmbeddingCache
    from jina_components.entailment import EntailmentScorer as EntailmentScorer
    from jina_components.filters import Field as Field
    from jina_components.fine_tuner import FineTuner as FineTuner
    from jina_components.fine_tuner import FitSettings as FitSettings
    from jina_components.fine_tuner import JudgedQuestions as JudgedQuestions
    from jina_components.fine_tuner import SynthesisSettings as SynthesisSettings
    from jina_components.fine_tuner import Triplets as Triplets
    from jina_components.grounder import Grounder as Grounder
    from jina_components.local_chat import LocalChat as LocalChat
    from jina_components.models.endpoint import Endpoint as Endpoint
    from jina_components.protocols import ChatMessage as ChatMessage
    from jina_components.read_options import PLAIN as PLAIN
    from jina_components.read_options import QUOTABLE as QUOTABLE
    from jina_components.read_options import MarkdownStyle as MarkdownStyle
    from jina_components.read_options import ReadOptions as ReadOptions
    from jina_components.read_options import Viewport as Viewport
    from jina_components.reader import Reader as Reader
    from jina_components.reader.chat_models import ChatConverter as ChatConverter
    from jina_components.reader_lm import ReaderLM as ReaderLM
    from jina_components.reranker import Reranker as Reranker
    from jina_components.retriever import Fusion as Fusion
    from jina_components.retriever import Parents as Parents
    from jina_components.retriever import Retriever as Retriever
    from jina_components.retriever.stores.faiss import FaissStore as FaissStore
    from jina_components.retriever.stores.milvus import MilvusStore as MilvusStore
    from jina_components.retriever.stores.pgvector import PgvectorStore as PgvectorStore
    from jina_components.retriever.stores.qdrant import QdrantStore as QdrantStore
    from jina_components.search_options import SearchOptions as SearchOptions
    from jina_components.segmenter import Segmenter as Segmenter
    from jina_components.types import Answer as Answer
    from jina_components.types import Document as Document
    from jina_components.types import Entailment as Entailment
    from jina_components.types import Example as Example
    from jina_components.types import Image as Image
    from jina_components.types import Trace as Trace
    from jina_components.web_search import WebSearch as WebSearch

__version__ = "0.1.0"

_HOMES = {
    "Answer": "types",
    "Budget": "deep_search",
    "ChatConverter": "reader.chat_models",
    "ChatMessage": "protocols",
    "Classifier": "classifier",
    "ClassifierRegistry": "classifier",
    "DeepSearchAgent": "deep_search",
    "DeepSearchOptions": "deep_search",
    "Document": "types",
    "Embedder": "embedder",
    "EmbeddingCache": "embedding_cache",
    "Endpoint": "models.endpoint",
    "Entailment": "types",
    "EntailmentScorer": "entailment",
    "Example": "types",
    "FaissStore": "retriever.stores.faiss",
    "Field": "filters",
    "FineTuner": "fine_tuner",
    "FitSettings": "fine_tuner",
    "Fusion": "retriever",
    "Grounder": "grounder",
    "Image": "types",
    "JudgedQuestions": "fine_tuner",
    "LocalChat": "local_chat",
    "MarkdownStyle": "read_options",
    "MilvusStore": "retriever.stores.milvus",
    "OpenAIChat": "chat",
    "PLAIN": "read_options",
    "Parents": "retriever",
    "PgvectorStore": "retriever.stores.pgvector",
    "Prices": "deep_search",
    "QUOTABLE": "read_options",
    "QdrantStore": "retriever.stores.qdrant",
    "ReadOptions": "read_options",
    "Reader": "reader",
    "ReaderLM": "reader_lm",
    "Reranker": "reranker",
    "Retriever": "retriever",
    "SearchOptions": "search_options",
    "Segmenter": "segmenter",
    "SynthesisSettings": "fine_tuner",
    "Trace": "types",
    "Triplets": "fine_tuner",
    "Viewport": "read_options",
    "WebSearch": "web_search",
    "calibrate": "core.quantization",
    "dequantize": "core.quantization",
    "max_sim": "core.late_interaction",
    "quantize": "core.quantization",
    "search_quantized": "core.quantization",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
