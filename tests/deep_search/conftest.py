from __future__ import annotations

from contextlib import ExitStack

import pytest

from jina_components import DeepSearchAgent, Document, OpenAIChat, Retriever
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.testing import FakeEmbedder, ScriptedChatServer

QUESTION = "How high are the tides in the Bay of Fundy?"
FACT = "They reach 16 metres."
CORPUS = (
    Document(f"The Bay of Fundy has the highest tides in the world. {FACT}", "tides", {"title": "Tides"}),
    Document("Huygens landed on Titan in 2005. Titan is the largest moon of Saturn.", "titan", {"title": "Titan"}),
    Document("Bread is baked from flour, water and salt.", "bread"),
)


@pytest.fixture(scope="session")
def tides():
    """A corpus of three documents."""
    retriever = Retriever(FakeEmbedder())
    retriever.add(CORPUS)
    return retriever


@pytest.fixture
def thinking(tides):
    """Makes an agent whose chat model follows a script, and its server."""
    with ExitStack() as stack:

        def make(script, *, source=None, timeout=30.0, options=None, **parts):
            server = stack.enter_context(ScriptedChatServer(script))
            chat = stack.enter_context(OpenAIChat("scripted", base_url=server.base_url, timeout=timeout))
            agent = DeepSearchAgent(source or tides, chat=chat, options=DeepSearchOptions(**(options or {})), **parts)
            return agent, server

        yield make
