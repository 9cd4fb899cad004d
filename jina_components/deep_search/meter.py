"""Budgets, enforced."""

from __future__ import annotations

from dataclasses import replace

from jina_components.deep_search_options import EFFORTS, DeepSearchOptions
from jina_components.types import Spent, Usage
from jina_components.types.answered import Ended

_SOFT = 0.85
# Of steps nothing is kept: the answer takes none.
_SHARES: dict[Ended, float] = {"tokens": _SOFT, "steps": 1.0, "seconds": _SOFT, "money": _SOFT}


class BudgetEnded(Exception):  # noqa: N818 (no error: it ends a search, and never leaves the agent)
    """A limit was reached: `which` names it."""

    def __init__(self, which: Ended) -> None:
        super().__init__(f"The budget of {which} is spent.")
        self.which = which


class Meter:
    """Counts what a search costs. Of a team, each member has one of its own, with its share of what is left.

    The search for more ends at 85 % of a limit (`ended`); what remains is for the answer. A call is admitted only
    while the spent, its prompt, and of the calls under way their prompts and as long a reply as any so far leave room.
    So a limit is exceeded by the reply of one call at most; by those of the calls under way where these are all longer
    than any before. Steps end before they begin: the calls of one that was taken are not refused for it.

    Args:
        options: With the budget and the effort.
        began: Seconds on the journal's clock from which on time counts.
    """

    def __init__(self, options: DeepSearchOptions, *, began: float = 0.0) -> None:
        self._options = options
        self._began = began
        budget, effort = options.budget, EFFORTS[options.reasoning_effort]
        self._prices = budget.prices
        self._limits: dict[Ended, float | None] = {
            "tokens": effort.tokens if budget.tokens is None else budget.tokens,
            "steps": effort.steps if budget.steps is None else budget.steps,
            "seconds": budget.seconds,
            "money": budget.money,
        }
        self._chat = Usage()
        self._others = Usage()
        self._steps = self._searches = self._reads = 0
        self._seconds = 0.0
        self._under_way: list[int] = []
        self._longest_reply = 0

    def advance(self, seconds: float) -> None:
        """It is so late, by the journal's clock, so that a replay ends where the search did."""
        self._seconds = max(self._seconds, seconds - self._began)

    def take_step(self) -> None:
        """Count a step."""
        self._steps += 1

    def admit(self, prompt_tokens: int, *, final: bool = False) -> None:
        """Let a chat call begin whose prompt has about so many tokens; `charge` or `release` must follow.

        Raises:
            BudgetEnded: there is no room for it; before 85 % of every limit, or with `final`, of 100 %.
        """
        needed = Usage(prompt_tokens + sum(self._under_way), self._longest_reply * len(self._under_way))
        spent = self._spent(self._chat + needed)
        share = 1.0 if final else _SOFT
        for which in ("tokens", "seconds", "money"):
            if self._is_spent(which, spent, share):
                raise BudgetEnded(which)
        self._under_way.append(prompt_tokens)

    def charge(self, usage: Usage, *, admitted: int) -> None:
        """Count what the call did cost.

        Args:
            usage: What its server says, which is not to be trusted: a prompt is counted with `admitted` tokens at
                least. What a reply has at least only the caller can tell, and has to put in its place.
            admitted: Tokens that the call was admitted with, as the caller counted its texts.
        """
        cost = Usage(max(usage.prompt_tokens, admitted), max(usage.completion_tokens, 0))
        self._under_way.remove(admitted)
        self._chat += cost
        self._longest_reply = max(self._longest_reply, cost.completion_tokens)

    def release(self, admitted: int, *, free: bool = False) -> None:
        """The call failed and cost its prompt, or nothing."""
        if free:
            self._under_way.remove(admitted)
        else:
            self.charge(Usage(), admitted=admitted)

    def pay(self, *, searches: int = 0, reads: int = 0, usage: Usage | None = None) -> None:
        """Count queries, pages, and tokens of models that are not the chat model (`usage`, not budgeted)."""
        self._searches += searches
        self._reads += reads
        self._others += usage or Usage()

    @property
    def ended(self) -> Ended | None:
        """The limit of which 85 % are spent, of steps all; or None."""
        return next((which for which in self._limits if self._is_spent(which, self.spent, _SHARES[which])), None)

    def tokens_left(self, *, final: bool = False) -> int:
        """Until the (soft, or with `final` hard) limit of tokens."""
        return max(int((self._limits["tokens"] or 0) * (1.0 if final else _SOFT)) - self.spent.tokens, 0)

    def shares(self, members: int) -> list[Meter]:
        """One for each member of a team, who together have what is left before the soft limits.

        They work at the same time, so that each has all of the time. A member has a step at least: of more members
        than there are steps left (`steps_left`), each would.
        """
        spent = self.spent
        limits = {
            which: limit * _SHARES[which] - getattr(spent, which) for which, limit in self._limits.items() if limit
        }
        tokens, steps = (max(int(limits[which] / members), 1) for which in ("tokens", "steps"))
        money = None if "money" not in limits else max(limits["money"] / members, 1e-12)
        seconds = None if "seconds" not in limits else max(limits["seconds"], 1e-3)
        budget = replace(self._options.budget, tokens=tokens, steps=steps, seconds=seconds, money=money)
        options, began = replace(self._options, budget=budget), self._began + self._seconds
        return [Meter(options, began=began) for _ in range(members)]

    def absorb(self, other: Meter) -> None:
        """Count what a member of the team has spent."""
        self._chat += other._chat
        self._others += other._others
        self._steps += other._steps
        self._searches += other._searches
        self._reads += other._reads

    @property
    def steps_left(self) -> int:
        """Steps that may yet be taken."""
        return max(int(self._limits["steps"] or 0) - self._steps, 0)

    @property
    def deadline(self) -> float | None:
        """When the time is over, by the journal's clock; None without a limit."""
        limit = self._limits["seconds"]
        return None if limit is None else self._began + limit

    def seconds_left(self, *, final: bool = False) -> float | None:
        """Until the (soft, or with `final` hard) limit of time; None without one."""
        limit = self._limits["seconds"]
        return None if limit is None else max(limit * (1.0 if final else _SOFT) - self._seconds, 0.0)

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        return self._spent(self._chat)

    @property
    def usage(self) -> Usage:
        """Tokens of all models so far."""
        return self._chat + self._others

    def _spent(self, chat: Usage) -> Spent:
        prices = self._prices
        tokens = chat.prompt_tokens * prices.prompt + chat.completion_tokens * prices.completion
        money = tokens / 1e6 + self._searches * prices.search + self._reads * prices.read
        return Spent(tokens=chat.total_tokens, steps=self._steps, seconds=self._seconds, money=money)

    def _is_spent(self, which: Ended, spent: Spent, share: float) -> bool:
        limit = self._limits[which]
        return limit is not None and bool(getattr(spent, which) >= limit * share)
