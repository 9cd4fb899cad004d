"""For tests: deterministic stand-ins that need no model, and checks that any implementation can run."""

from jina_components.testing.chat import FakeChat, FakeJSONChat
from jina_components.testing.chat_server import ScriptedChatServer
from jina_components.testing.chat_wire import ScriptedReply
from jina_components.testing.embedders import check_embedder
from jina_components.testing.entailment import check_entailment_scorer
from jina_components.testing.fakes import FakeEmbedder, FakeEntailmentScorer
from jina_components.testing.memory_store import MemoryStore
from jina_components.testing.replay import WarcFetcher, WarcRecorder
from jina_components.testing.rerankers import check_reranker
from jina_components.testing.retrievers import check_retriever
from jina_components.testing.search import FakeSearchProvider, check_search_provider
from jina_components.testing.stores import check_store

__all__ = [
    "FakeChat",
    "FakeEmbedder",
    "FakeEntailmentScorer",
    "FakeJSONChat",
    "FakeSearchProvider",
    "MemoryStore",
    "ScriptedChatServer",
    "ScriptedReply",
    "WarcFetcher",
    "WarcRecorder",
    "check_embedder",
    "check_entailment_scorer",
    "check_reranker",
    "check_retriever",
    "check_search_provider",
    "check_store",
]
