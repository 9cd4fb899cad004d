"""What the loop can do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ActionKind: TypeAlias = Literal["search", "visit", "reflect", "answer", "calculate"]

MAX_QUERIES = 5
MAX_URLS = 5
MAX_SUB_QUESTIONS = 2


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask the sources.

    Attributes:
        text: The query.
        time_range: Only what is no older: `hour`, `day`, `week`, `month`, `year`; or empty.
        location: Where the searcher is, in words; or empty.
        is_private: Whether it holds words of a corpus or of files: then no web search gets to see it.
    """

    text: str
    time_range: Literal["", "hour", "day", "week", "month", "year"] = ""
    location: str = ""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Ask the sources."""

    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """Read pages that are known; of a corpus, more of a document of which chunks were found."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reflect:
    """Ask sub-questions first."""

    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calculate:
    """Compute by `code`, in the language of `calculator`."""

    code: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """Answer the question: Markdown without marks, or empty where what is known does not answer it."""

    text: str


Action: TypeAlias = Search | Visit | Reflect | Calculate | Draft


@dataclass(frozen=True, slots=True)
class Decision:
    """An action and the thought before it, in words for people; `usage` goes by the meter, not here."""

    action: Action
    thought: str = ""


KINDS: dict[type, ActionKind] = {
    Search: "search", Visit: "visit", Reflect: "reflect", Calculate: "calculate", Draft: "answer",
}  # fmt: skip
