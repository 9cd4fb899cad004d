"""Budgets are kept, whatever a server says and however many ask at once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.deep_search.meter import BudgetEnded, Meter
from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices
from jina_components.types import Spent, Usage


def metered(**limits: Any) -> Meter:
    return Meter(DeepSearchOptions(budget=Budget(**limits)))


def why(meter: Meter, tokens: int = 1, *, final: bool = False) -> str:
    """What a call is refused for, or empty."""
    try:
        meter.admit(tokens, final=final)
    except BudgetEnded as ended:
        return ended.which
    meter.release(tokens)
    return ""


def test_keeps_the_last_part_for_the_answer() -> None:
    meter = metered(tokens=1000)
    meter.admit(800)
    meter.charge(Usage(800, 50), admitted=800)
    assert meter.ended == "tokens"
    assert why(meter) == "tokens"
    assert why(meter, 149, final=True) == ""
    assert why(meter, final=True) == "tokens"
    assert meter.spent == Spent(tokens=999)


@pytest.mark.parametrize(
    ("effort", "tokens", "steps"), [("low", 100_000, 12), ("medium", 500_000, 40), ("high", 1_000_000, 80)]
)
def test_efforts_set_limits(effort: Any, tokens: int, steps: int) -> None:
    meter = Meter(DeepSearchOptions(reasoning_effort=effort))
    assert why(meter, tokens) == "tokens"
    while meter.ended is None:
        meter.take_step()
    assert (meter.ended, meter.spent.steps) == ("steps", steps)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_steps_that_are_allowed_are_taken(limit: int) -> None:
    meter = metered(steps=limit)
    for _ in range(limit):
        assert meter.ended is None
        meter.take_step()
        assert why(meter) == ""
    assert meter.ended == "steps"


def test_time() -> None:
    meter = metered(seconds=100)
    meter.advance(84)
    meter.advance(10)  # a record is not read backwards
    assert (meter.ended, meter.seconds_left(), meter.seconds_left(final=True)) == (None, 1, 16)
    meter.advance(90)
    assert (meter.ended, meter.seconds_left(), why(meter), why(meter, final=True)) == ("seconds", 0, "seconds", "")
    meter.advance(100)
    assert (why(meter, final=True), meter.seconds_left(final=True), meter.spent.seconds) == ("seconds", 0, 100)
    assert metered().seconds_left() is None


def test_a_team_shares_what_is_left_and_has_all_of_the_time() -> None:
    meter = metered(tokens=1000, steps=7, seconds=100, money=1.0, prices=Prices(search=0.1))
    meter.admit(250)
    meter.charge(Usage(250), admitted=250)
    meter.take_step()
    meter.pay(searches=1)
    meter.advance(40)
    assert meter.steps_left == 6
    for share in (shares := meter.shares(3)):
        share.advance(50)
        assert (share.tokens_left(final=True), share.steps_left, share.deadline) == (200, 2, 85)
        assert (share.seconds_left(final=True), share.ended) == (35, None)
        share.admit(100)
        share.charge(Usage(100), admitted=100)
        share.take_step()
        share.pay(searches=1)
    assert shares[0].ended is None
    for share in shares:
        share.advance(85)
        assert share.ended == "seconds"
        meter.absorb(share)
    assert (meter.spent.tokens, meter.spent.steps, meter.spent.seconds) == (550, 4, 40)
    assert meter.spent.money == pytest.approx(0.4)


def test_money() -> None:
    meter = metered(money=1.0, prices=Prices(prompt=2.0, completion=10.0, search=0.25, read=0.125))
    meter.pay(searches=1, reads=2)
    meter.admit(50_000)
    meter.charge(Usage(50_000, 10_000), admitted=50_000)
    assert meter.spent.money == pytest.approx(0.7)
    assert (meter.ended, why(meter, 80_000), why(meter, 80_000, final=True)) == (None, "money", "")
    meter.pay(searches=1)
    assert (meter.ended, why(meter)) == ("money", "money")


@pytest.mark.parametrize("said", [Usage(), Usage(-5, -7), Usage(1, 0)])
def test_no_server_makes_a_prompt_cheaper(said: Usage) -> None:
    meter = metered(tokens=1000)
    meter.admit(400)
    meter.charge(said, admitted=400)
    assert meter.spent.tokens == 400
    assert meter.usage == Usage(400)


def test_failed_calls_cost_their_prompts_and_other_models_only_count() -> None:
    meter = metered(tokens=1000)
    meter.admit(300)
    meter.release(300)
    meter.pay(usage=Usage(10_000, 5))
    assert (meter.spent.tokens, meter.ended, meter.usage) == (300, None, Usage(10_300, 5))


def test_calls_under_way_take_their_room() -> None:
    meter = metered(tokens=1000)
    meter.admit(400)
    meter.admit(400)
    assert why(meter, 60) == "tokens"
    meter.charge(Usage(400, 0), admitted=400)
    assert why(meter, 60) == "tokens"


@given(st.integers(10, 5000), st.integers(1, 400), st.integers(1, 6), st.randoms(use_true_random=False))
def test_exceeds_its_limit_by_one_reply_at_most(limit: int, longest: int, members: int, chance: random.Random) -> None:
    """Of replies as long as one that was seen; before, by those under way."""
    meter = metered(tokens=limit)
    under_way: list[int] = []
    replied = highest = 0
    for _ in range(300):
        prompt = chance.randint(1, 300)
        if under_way and (len(under_way) == members or chance.random() < 0.5):
            admitted = under_way.pop(chance.randrange(len(under_way)))
            reply = longest if not replied else chance.randint(0, longest)
            highest = max(highest, len(under_way) if not replied else 0)
            replied += 1
            meter.charge(Usage(chance.randint(-5, 300 if not replied else admitted), reply), admitted=admitted)
        elif not (refused := why_admit(meter, prompt, final=chance.random() < 0.1)):
            under_way.append(prompt)
        else:
            assert refused == "tokens"
    while under_way:
        meter.charge(Usage(0, chance.randint(0, longest)), admitted=under_way.pop())
    assert meter.spent.tokens < limit + longest * (1 + highest)


def why_admit(meter: Meter, prompt: int, *, final: bool) -> str:
    try:
        meter.admit(prompt, final=final)
    except BudgetEnded as ended:
        return ended.which
    return ""
