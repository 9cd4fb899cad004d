"""What a search knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jina_components.deep_search.actions import ActionKind
from jina_components.deep_search.gathering.urls import KnownUrls
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.protocols import ChatMessage
from jina_components.types import Document


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Something that was found out.

    Attributes:
        kind: `answer` to a sub-question, result of a `calculation`, `analysis` of a rejected answer.
        question: What it is about.
        text: What it says.
        documents: Ids of the documents in `State.evidence` that it rests on.
    """

    kind: Literal["answer", "calculation", "analysis"]
    question: str
    text: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer that an evaluation rejected: to which question, by which evaluator, and why."""

    question: str
    text: str
    evaluator: str
    reason: str


@dataclass
class State:
    """What a search knows; of a team, each member has one.

    Attributes:
        question: What is to be answered.
        messages: The conversation that ends with it, for chat models: history and images, without files.
        options: How to search.
        today: ISO date.
        open: Questions to work on, in turn; the question first.
        asked: All questions ever opened.
        queries: All queries ever asked.
        was_answered: Whether any of them was, be it with nothing.
        hits: Of each of them, the ids of the documents that it found, best first; empty where it found pages to read.
        knowledge: What was found out.
        diary: What was done since the last rejection, in words for the reasoner.
        evidence: Documents found or read, by id, in the order they came. Their texts stand verbatim in their sources.
        urls: What may be visited, and what was.
        images: By the canonical URL of a page that was read, those of its images.
        rejected: Answers that were rejected.
        warnings: For the answer.
        step: Number of the step, from 1.
        barred: Actions that the next step may not take.
        files: Ids of documents in `evidence` that the user sent along.
    """

    question: str
    messages: tuple[ChatMessage, ...]
    options: DeepSearchOptions
    today: str = ""
    open: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    was_answered: bool = False
    hits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    knowledge: list[Knowledge] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    evidence: dict[str, Document] = field(default_factory=dict)
    urls: KnownUrls = field(default_factory=KnownUrls)
    images: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    step: int = 0
    barred: frozenset[ActionKind] = frozenset()
    files: tuple[str, ...] = ()

    def add(self, documents: list[Document]) -> int:
        """Add evidence; how much of it is new."""
        before = len(self.evidence)
        for document in documents:
            self.evidence.setdefault(document.id, document)
        return len(self.evidence) - before

    @property
    def current(self) -> str:
        """The question that the step is for."""
        return self.open[(self.step - 1) % len(self.open)]
