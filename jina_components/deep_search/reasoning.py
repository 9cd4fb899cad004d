"""What thinks for the loop: a chat model, or rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from jina_components.deep_search.actions import ActionKind, Decision, Draft, Query
from jina_components.deep_search.state import Rejected, State
from jina_components.types import ScoredDocument

Evaluator: TypeAlias = Literal["definitive", "freshness", "plurality", "completeness", "attribution", "strict"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluator says of a draft.

    Attributes:
        passed: Whether it may be the answer.
        reason: Why, and what would be better.
    """

    passed: bool
    reason: str = ""


class Reasoner(Protocol):
    """Decides, writes and judges for one search. Everything that it asks of the outside goes through its tools.

    All methods may raise ChatError, where a chat model fails or three times answers out of form, and BudgetEnded, where
    the budget ends before it would answer.
    """

    async def plan(self, state: State, count: int) -> list[str]:
        """Up to `count` sub-questions that do not overlap, for a team; one or none where it cannot be parted."""
        ...

    async def criteria(self, state: State, question: str) -> tuple[Evaluator, ...]:
        """The evaluators that an answer to the question must pass, in order."""
        ...

    async def decide(self, state: State, allowed: frozenset[ActionKind]) -> Decision:
        """What to do next, one of those allowed."""
        ...

    async def rewrite(self, state: State, queries: Sequence[Query], found: Sequence[str]) -> list[Query]:
        """Better queries, from several viewpoints, given what the first ones found (title and snippet each)."""
        ...

    async def evaluate(self, state: State, question: str, draft: Draft, evaluator: Evaluator) -> Evaluation:
        """What one evaluator says of a draft."""
        ...

    async def analyse(self, state: State, rejected: Rejected) -> str:
        """What went wrong on the way to a rejected answer, and what to do better: recap, blame, improvement."""
        ...

    async def conclude(self, state: State) -> Draft:
        """The best answer from everything that is known; empty where that answers nothing."""
        ...

    async def merge(self, state: State, answers: Sequence[tuple[str, str]]) -> Draft:
        """One answer to the question from a team's sub-questions and their answers."""
        ...

    async def fill(self, state: State, text: str) -> Any:  # noqa: ANN401 (JSON)
        """The value that `state.options.schema` asks for, from the verified answer."""
        ...

    async def rank(self, state: State) -> list[ScoredDocument]:
        """The evidence, most useful for the question first."""
        ...
