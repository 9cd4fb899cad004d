"""What a deep search finds, and the steps on the way there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from jina_components.types.answered_html import answer_html
from jina_components.types.scores import ScoredDocument
from jina_components.types.texts import Usage, shorten
from jina_components.types.trace import Trace

Ended: TypeAlias = Literal[
    "answered",
    "direct",
    "attempts",
    "no progress",
    "tokens",
    "steps",
    "seconds",
    "money",
    "chat failed",
    "nothing found",
]
"""What ended a search: an answer that passed its evaluation; one that needed no sources (a greeting); the last
attempt, rejected too; steps that found nothing new; a budget; a chat model that failed; or nothing left to try."""

StepKind: TypeAlias = Literal[
    "plan", "think", "search", "found", "visit", "read", "reflect", "calculate", "answer", "evaluate", "reject", "skip",
    "end", "write", "verify", "done",
]  # fmt: skip
"""What was done: `plan` (a team's sub-questions, or how answers will be evaluated), `think` (the reasoner's words
before an action), `search` and what it `found`, `visit` and what was `read`, `reflect` (new sub-questions),
`calculate`, `answer` (a draft), `evaluate` and `reject`, `skip` (an action that could not be taken, and why), `end`
(why no more is searched for), `write` (the answer from all that is known), `verify` (its sentences against the
sources), `done`."""

_TOLD: dict[StepKind, str] = {
    "plan": "The question has several parts: {}",
    "think": "{}",
    "search": "Searching for: {}",
    "found": "Found {}.",
    "visit": "Reading: {}",
    "read": "Read {}.",
    "reflect": "First to be asked: {}",
    "calculate": "Calculated: {}.",
    "answer": "A draft of the answer: {}",
    "evaluate": "The draft was evaluated by {}",
    "reject": "The draft was rejected by {}",
    "skip": "{}",
    "end": "No more is searched for. {}",
    "write": "{}",
    "verify": "Compared with the sources. {}",
    "done": "{}",
}


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search cost, as its budget counts it.

    Attributes:
        tokens: Of the chat model: prompts and replies.
        steps: Actions taken.
        seconds: Wall-clock time.
        money: In the currency of the budget's prices; 0 without prices.
    """

    tokens: int = 0
    steps: int = 0
    seconds: float = 0.0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote and where it stands.

    Attributes:
        quote: The exact words.
        source: URL or path of the source, or the document's id when it has none.
        start: Offset of the quote in the source's text (`Page.content`, or `Document.text`).
        end: Its end: `source_text[start:end] == quote`.
        document_id: Id of the document that holds it.
        title: Title of the source, or empty.
        page: Page number from 1, for paged sources.
        published_time: When the source says it was published, ISO 8601, or empty.
        score: How similar the quote is to what cites it, 0 to 1; 1 where it says the same words.
    """

    quote: str
    source: str
    start: int
    end: int
    document_id: str
    title: str = ""
    page: int | None = None
    published_time: str = ""
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class AnsweredSentence:
    """A sentence of an answer, `answer.text[start:end]`, its marks included.

    Attributes:
        start, end: Where it stands in the answer's text, in code points.
        supported: Whether a source shows it; sentences that claim nothing (an introduction) count as supported.
        citations: Numbers of the citations that do, from 1.
    """

    start: int
    end: int
    supported: bool
    citations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its evidence.

    Attributes:
        question: The question.
        text: The answer in Markdown; the footnote mark `[^n]` refers to `citations[n - 1]`, and `[unverified]` follows
            a sentence that no source shows. Of a `schema`, the JSON.
        answered: False when the sources do not answer; then `text` says so and nothing is cited.
        citations: Verified quotes, in the order of their marks.
        sentences: The sentences of the text, in order.
        passages: What was found, most useful for the question first; each a document whose text stands in its source.
        value: What a `schema` asked for, as JSON values; else None.
        ended: Why no more was searched for.
        visited_urls: Sources that are known, best first, up to `max_returned_urls`.
        read_urls: Those of them that were read.
        num_urls: How many are known.
        images: URLs of images on web pages that were read: those of cited pages first, then of the best ones.
        usage: Tokens of all models: chat, reranker, embedder and Grounder.
        spent: What the budget counted.
        warnings: What a reader of the answer should know: sources that failed, models that did …
        trace: All that was done and what came of it; replays without network, draws itself in a notebook.
    """

    question: str
    text: str
    answered: bool
    citations: tuple[Citation, ...] = ()
    sentences: tuple[AnsweredSentence, ...] = ()
    passages: tuple[ScoredDocument, ...] = field(default=(), repr=False)
    value: Any = field(default=None, hash=False)
    ended: Ended = "answered"
    visited_urls: tuple[str, ...] = ()
    read_urls: tuple[str, ...] = ()
    num_urls: int = 0
    images: tuple[str, ...] = field(default=(), repr=False)
    usage: Usage = Usage()
    spent: Spent = Spent()
    warnings: tuple[str, ...] = ()
    trace: Trace | None = field(default=None, repr=False, compare=False)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The citations as DeepSearch and OpenAI write them on the wire: `url_citation`."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "title": one.title or one.source,
                    "exactQuote": one.quote,
                    "url": one.source,
                    "dateTime": one.published_time,
                },
            }
            for one in self.citations
        ]

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return answer_html(self)


@dataclass(frozen=True, slots=True)
class DeepSearchStep:
    """One step of a search, as it is taken.

    Attributes:
        kind: What was done.
        text: In words for people.
        question: The question or sub-question that it was done for.
        queries: Of `search`, what was asked.
        urls: Sources that it is about.
        member: Of a team, who did it: `1`, `2`, …; empty for the search itself.
        at: Seconds since the search began, by the last call; of a team, by that of this member.
        tokens: Tokens of the chat model spent by then; of a team, by this member.
        answer: Of `done`, the result.
    """

    kind: StepKind
    text: str
    question: str = ""
    queries: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    member: str = ""
    at: float = 0.0
    tokens: int = 0
    answer: Answer | None = None

    @property
    def told(self) -> str:
        """The step as a sentence that says what was done; of a team, after who did it."""
        by = f"[{self.member}] " if self.member else ""
        return f"{by}{_TOLD[self.kind].format(self.text)}"

    def __repr__(self) -> str:
        return f"DeepSearchStep({self.kind!r}, {shorten(self.text)!r})"
