"""What the tests of our LangChain classes share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from running_service import Served, served

# By the names that `langchain_community` asks for, what answers here.
ALIASES = {
    "jina-embeddings-v2-base-en": "static-minilm-v1",
    "jina-embeddings-v3": "small-embedding-v1",
    "jina-reranker-v1-base-en": "small-reranker-v1",
}
KEY = "jina_0123456789abcdef"


@contextmanager
def jina_names(folder: Path) -> Iterator[Served]:
    """A service that knows Jina's names of models."""
    with served(folder, aliases=ALIASES) as service:
        yield service


class Seen(BaseCallbackHandler):
    """Keeps what callbacks tell: (event, name of the run, what went in, came out or went wrong)."""

    run_inline = True

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.names: dict[UUID, str | None] = {}
        self.tags: list[str] = []
        self.metadata: dict[str, Any] = {}

    def _started(self, kind: str, run_id: UUID, **more: Any) -> None:
        self.names[run_id] = more.get("name")
        self.tags += more.get("tags") or []
        self.metadata |= more.get("metadata") or {}
        self.events.append((f"{kind} starts", more.get("name")))

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **more: Any) -> None:
        self._started("chain", run_id, **more)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **more: Any) -> None:
        self.events.append(("chain ends", self.names[run_id]))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self.events.append((f"chain fails: {type(error).__name__}", self.names[run_id]))

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, **more: Any) -> None:
        self._started("retriever", run_id, **more)

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **more: Any) -> None:
        self.events.append(("retriever ends", self.names[run_id]))

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self.events.append((f"retriever fails: {type(error).__name__}", self.names[run_id]))
