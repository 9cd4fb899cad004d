"""DeepSearchAgent: a question into a cited answer."""

from __future__ import annotations

import asyncio

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.core.inputs import check_query
from jina_components.deep_search.extractive import choose, compose, find_evidence
from jina_components.deep_search.written import write_answer
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import ChatModel, SupportsRerank, SupportsRetrieve
from jina_components.types import Answer, shorten

_NO_ANSWER = "The documents do not answer this question."
# Quotes that a chat model gets to choose from.
_QUOTES_FOR_CHAT = 12


class DeepSearchAgent(Component):
    """Answers from the documents of a retriever, with quotes that stand verbatim in them, or says that it cannot.

    Retrieves candidates, reranks them, scores their sentences. Without a chat model the answer is the
    best sentences; with one, the model writes it from the same quotes and may cite nothing else.

    Args:
        retriever: Where the documents are.
        reranker: Scores documents and sentences, on a scale of about 0 to 1.
        chat: Writes the answer; None for the extractive reasoner.
        top_k: Candidates to retrieve.
        min_relevance: Below this (mean score of a sentence and its document) nothing counts as an answer.
            The default is set for the bundled reranker; 0.5 suits cross-encoders. On SQuAD, with 18,896
            paragraphs to be misled by, it answers 9 of 10 questions and declines 7 of 10 whose article is left
            out (benchmarks/quality/answers.py).
        max_citations: Quotes in an extractive answer.

    Example:
        >>> agent = DeepSearchAgent(retriever, reranker=Reranker())
        >>> print(agent.run("What is the capital of France?"))
        Paris is the capital of France. [1]
    """

    def __init__(
        self,
        retriever: SupportsRetrieve,
        *,
        reranker: SupportsRerank,
        chat: ChatModel | None = None,
        top_k: int = 30,
        min_relevance: float = 0.55,
        max_citations: int = 3,
    ) -> None:
        if not isinstance(retriever, SupportsRetrieve) or not isinstance(reranker, SupportsRerank):
            raise ConfigError(f"DeepSearchAgent takes a retriever and a reranker, got {retriever!r} and {reranker!r}.")
        if min(top_k, max_citations) < 1:
            raise ConfigError("top_k and max_citations must be positive.")
        self._retriever = retriever
        self._reranker = reranker
        self._chat = chat
        self._top_k = top_k
        self._min_relevance = min_relevance
        self._max_citations = max_citations

    async def arun(self, question: str) -> Answer:
        """Answer a question.

        Raises:
            InputError: an empty question, or a retriever without documents.
            ChatError: the chat model failed or would not cite.
        """
        check_query(question, what="question")
        if not any(character.isalnum() for character in question):
            raise InputError(f"The question holds no words: {shorten(question)!r}.")
        ranking = await asyncio.to_thread(self._retriever.retrieve, question, top_k=self._top_k)
        candidates = [hit.document for hit in ranking]
        evidence, usage = await asyncio.to_thread(find_evidence, question, candidates, self._reranker)
        usage += ranking.usage
        if self._chat is None or not evidence:
            citations = choose(evidence, min_relevance=self._min_relevance, max_citations=self._max_citations)
            text = compose(citations)
        else:
            quotes = [item.citation for item in evidence[:_QUOTES_FOR_CHAT]]
            text, citations, chat_usage = await write_answer(question, quotes, self._chat)
            usage += chat_usage
        if not citations:
            return Answer(question, _NO_ANSWER, answered=False, usage=usage)
        return Answer(question, text, answered=True, citations=tuple(citations), usage=usage)

    def run(self, question: str) -> Answer:
        """`arun`, waited for."""
        return run_sync(self.arun(question))

    def __repr__(self) -> str:
        return f"DeepSearchAgent({self._retriever!r}, reranker={self._reranker!r}, chat={self._chat!r})"
