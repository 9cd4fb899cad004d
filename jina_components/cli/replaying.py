"""The answer of a trace, found again by an agent whose parts are never asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jina_components.errors import TraceError
from jina_components.protocols import ChatMessage
from jina_components.read_options import ReadOptions
from jina_components.types import Answer, Trace
from jina_components.types.codec import decode


class _Corpus:
    """Stands for a `Retriever`."""

    def retrieve(self, query: str, *, top_k: int = 10, filter: object = None) -> NoReturn:
        _refuse(query, top_k, filter)


class _Web:
    """Stands for a `WebSearch`."""

    async def asearch(self, query: str, *, options: object = None) -> NoReturn:
        _refuse(query, options)


class _Part:
    """Stands for a reader, a reranker, an embedder, a Grounder or a chat model."""

    options = ReadOptions()

    async def aread(self, source: str, *, options: object = None) -> NoReturn:
        _refuse(source, options)

    def rerank(self, query: str, documents: object, *, top_n: int | None = None, truncate: bool = False) -> NoReturn:
        _refuse(query, documents, top_n, truncate)

    def embed_query(self, text: str) -> NoReturn:
        _refuse(text)

    def embed_documents(self, texts: Sequence[str]) -> NoReturn:
        _refuse(texts)

    async def aground(self, statement: str, *, references: object = None) -> NoReturn:
        _refuse(statement, references)

    async def achat(self, messages: object) -> NoReturn:
        _refuse(messages)


def replayed(path: Path, asked: str | Sequence[ChatMessage] | None) -> Answer:
    """The answer of the trace or whole checkpoint in a file.

    Args:
        path: The file.
        asked: What was asked; None for what the trace has, which are words, but no files and no images.

    Raises:
        ReadError: the file cannot be read or is no trace.
        TraceError: it is not whole, or is of another version of the agent.
    """
    from jina_components.deep_search import DeepSearchAgent
    from jina_components.deep_search_options import DeepSearchOptions

    trace = Trace.load(path)
    try:
        parts: Mapping[str, Any] = trace.request["parts"]
        agent = DeepSearchAgent(
            [_SOURCES[kind]() for kind in parts["sources"]],
            reader=_part(parts["reader"]),
            reranker=_part(parts["reranker"]),
            embedder=_part(parts["embedder"]),
            grounder=_part(parts["grounder"]),
            chat=_part(parts["chat"]),
            options=decode(trace.request["options"], DeepSearchOptions),
            top_k=parts["top_k"],
            min_relevance=parts["min_relevance"],
            max_quotes=parts["max_quotes"],
        )
        words = _words(trace.request)
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"{path} cannot be replayed, as its request is of another form: {error!r}.") from error
    return agent.replay(trace, words if asked is None else asked)


def _part(is_there: bool) -> _Part | None:
    return _Part() if is_there else None


def _words(request: Mapping[str, Any]) -> str | list[ChatMessage]:
    if "messages" not in request:
        return str(request["question"])
    return [ChatMessage(turn["role"], turn["content"]) for turn in request["messages"]]


def _refuse(*asked: object) -> NoReturn:
    raise TraceError(f"A replay asks nothing, and this is not on record: {asked[0]!r}.")


_SOURCES: dict[str, type[_Corpus | _Web]] = {"retrieve": _Corpus, "search": _Web}
