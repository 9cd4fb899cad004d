"""Answers are judged by what a model sees in them, and by what code counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reasoner_setup import MOONS, QUESTION, TIDES, Thinking

from jina_components.deep_search.actions import Draft
from jina_components.deep_search.chat.evaluators import AGES, JUDGING, PLURALITY, freshness
from jina_components.deep_search.reasoning import Evaluation, Evaluator
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ChatError, ConfigError
from jina_components.protocols import ChatMessage
from jina_components.types import Document, Image

DRAFT = Draft("They reach 16 metres.")


async def judged(evaluator: Evaluator, *replies: Any, evidence: Any = (TIDES, MOONS)) -> Evaluation:
    thinking = Thinking(replies, evidence=evidence)
    evaluation = await thinking.reasoner.evaluate(thinking.state, QUESTION, DRAFT, evaluator)
    assert thinking.material["answer"] == [DRAFT.text]
    return evaluation


CHECKS = {"definitive": True, "freshness": False, "plurality": False, "completeness": True}


@pytest.mark.parametrize(
    ("effort", "criteria"),
    [
        ("low", ("definitive", "completeness")),
        ("medium", ("definitive", "completeness", "strict")),
        ("high", ("definitive", "completeness", "strict")),
    ],
)
async def test_the_model_chooses_the_criteria_of_the_question(effort: Any, criteria: tuple[str, ...]) -> None:
    thinking = Thinking([{"definitive": "yes"}, CHECKS], options=DeepSearchOptions(reasoning_effort=effort))
    assert await thinking.reasoner.criteria(thinking.state, QUESTION) == criteria
    assert all(f"`{name}`" in thinking.task for name in CHECKS)


async def test_sub_questions_need_a_definite_answer_alone() -> None:
    thinking = Thinking([])
    assert await thinking.reasoner.criteria(thinking.state, "What is a tide?") == ("definitive",)
    assert not thinking.chat.asked


@pytest.mark.parametrize("passed", [True, False])
async def test_definitive(passed: bool) -> None:
    assert await judged("definitive", {"reason": "So\nit is.", "passed": passed}) == Evaluation(passed, "So it is.")


@pytest.mark.parametrize("passed", [True, False])
async def test_a_strict_review_sees_the_sources_and_gives_a_plan(passed: bool) -> None:
    thinking = Thinking([{"reason": "Where?", "passed": passed, "plan": "Name the bay."}])
    found = await thinking.reasoner.evaluate(thinking.state, QUESTION, DRAFT, "strict")
    assert found == Evaluation(passed, "Where?" if passed else "Where? Name the bay.")
    assert thinking.material["documents"][0]["text"] == TIDES.text


async def test_an_answer_to_a_sub_question_is_judged_as_that() -> None:
    thinking = Thinking([{"reason": "", "passed": True}] * 2)
    await thinking.reasoner.evaluate(thinking.state, "What is a tide?", DRAFT, "definitive")
    assert 'Sub-question: "What is a tide?"' in thinking.prompt
    assert thinking.task.startswith("An answer to the sub-question ")
    await thinking.reasoner.evaluate(thinking.state, QUESTION, DRAFT, "definitive")
    assert "ub-question" not in thinking.prompt


@pytest.mark.parametrize("evaluator", ["definitive", "freshness", "plurality", "completeness", "strict"])
async def test_judges_know_what_was_said_before(evaluator: Evaluator) -> None:
    reply = {"reason": "", "passed": True, "subject": "news", "wording": "one", "given": 1, "aspects": []}
    thinking = Thinking([reply], messages=[ChatMessage("user", "Tell me of tides.", (Image(b"1"),))])
    assert (await thinking.reasoner.evaluate(thinking.state, QUESTION, DRAFT, evaluator)).passed == (
        evaluator != "freshness"
    )
    assert thinking.material["conversation"] == [{"role": "user", "text": "Tell me of tides."}]
    assert len(thinking.chat.asked[-1][1].images) == (evaluator == "strict")


@pytest.mark.parametrize(
    ("aspects", "missing"),
    [
        ([("height", True), ("place", False), ("year", False)], "place; year"),
        ([("height", True)], ""),
        ([], ""),
    ],
)
async def test_completeness_is_every_named_aspect(aspects: list[tuple[str, bool]], missing: str) -> None:
    reply = {"aspects": [{"aspect": aspect, "covered": covered} for aspect, covered in aspects]}
    evaluation = await judged("completeness", reply)
    assert evaluation.passed == (not missing)
    assert missing in evaluation.reason


@pytest.mark.parametrize(
    ("wording", "asked", "given", "passed"),
    [
        ("number", 5, 5, True), ("number", 5, 4, False), ("number", 5, 6, True), ("number", 0, 0, False),
        ("few", 0, 2, True), ("few", 0, 1, False), ("several", 0, 3, True), ("many", 0, 6, False), ("many", 0, 7, True),
        ("comprehensive", 0, 9, False), ("one", 0, 1, True), ("one", 0, 0, False),
    ],
)  # fmt: skip
async def test_plurality_is_counted_by_code(wording: str, asked: int, given: int, passed: bool) -> None:
    evaluation = await judged("plurality", {"wording": wording, "asked": asked, "given": given})
    assert evaluation.passed == passed
    assert str(given) in evaluation.reason


@pytest.mark.parametrize(
    "reply",
    [
        {"wording": "some", "given": 3}, {"wording": "few"}, {"wording": "few", "given": -1},
        {"wording": "number", "given": 3, "asked": 10**30}, {"wording": "few", "given": "three"}, "three",
    ],
)  # fmt: skip
async def test_replies_that_make_no_sense_are_complained_of(reply: Any) -> None:
    assert (await judged("plurality", reply, {"wording": "few", "given": 3})).passed
    with pytest.raises(ChatError):
        await judged("plurality", reply, reply, reply)


def published(*times: Any) -> list[Document]:
    return [Document(f"Tides of {n}.", metadata={"published_time": time}) for n, time in enumerate(times)]


@pytest.mark.parametrize(
    ("subject", "times", "passed"),
    [
        ("finance", ["2026-05-20"], True),
        ("finance", ["2026-05-19"], False),
        ("news", ["2026-05-19T23:00:00Z"], True),
        ("news", ["2026-05-18", "2020"], False),
        ("news", ["2020-01-01", "2026-05-20"], True),  # the newest counts
        ("technology", ["2026-05-12"], False),
        ("history", ["2025-05-21"], True),
        ("history", ["2025-05"], True),
        ("culture", ["2023-01-01"], False),
        ("facts that do not change", ["1900-01-01"], True),
        ("news", [], True),
        ("news", ["", "yesterday", None, 20260520], True),  # nobody knows
        ("news", ["2027-01-01", "2026-01-01"], False),  # what is to come is no date
        ("news", ["2026-05-21"], True),
    ],
)
def test_freshness_is_counted_by_code(subject: str, times: list[Any], passed: bool) -> None:
    evaluation = freshness(subject, published(*times), "2026-05-20")
    assert evaluation.passed == passed
    assert evaluation.reason


@given(st.sampled_from(list(AGES)), st.lists(st.text() | st.dates().map(str) | st.datetimes().map(str), max_size=5))
def test_no_date_is_too_odd(subject: str, times: list[str]) -> None:
    assert isinstance(freshness(subject, published(*times), "2026-05-20"), Evaluation)


async def test_the_model_names_the_subject_and_the_nearest_sources_count() -> None:
    old = Document("They reach 16 metres, said grandfather.", metadata={"published_time": "1950-01-01"})
    new = [Document(f"Unlike that, {n} bread is baked.", metadata={"published_time": "2026-05-20"}) for n in range(9)]
    assert (await judged("freshness", {"subject": "news"}, evidence=[TIDES, *new])).passed
    assert not (await judged("freshness", {"subject": "news"}, evidence=[old])).passed
    assert (await judged("freshness", {"subject": "gossip"}, {"subject": "history"}, evidence=[TIDES])).passed


async def test_an_evaluator_of_nobody_is_an_error() -> None:
    with pytest.raises(ConfigError, match="attribution"):
        await judged("attribution")


def test_the_tables_are_whole() -> None:
    assert JUDGING.keys() == {"definitive", "plurality", "completeness", "strict"}
    assert all(least >= 0 and told for least, told in PLURALITY.values())
    assert sum(age is None for age in AGES.values()) == 1
