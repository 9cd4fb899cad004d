"""A chat model rewrites queries, plans, analyses, concludes, merges and fills in forms."""

from __future__ import annotations

from typing import Any

import pytest
from reasoner_setup import HEIGHT, MOONS, QUESTION, TIDES, Thinking

from jina_components.deep_search.actions import (
    Draft,
    Query,
)
from jina_components.deep_search.chat.prompts import VIEWPOINTS
from jina_components.deep_search.meter import BudgetEnded
from jina_components.deep_search.state import Knowledge, Rejected
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import ChatError
from jina_components.types import Document


async def test_queries_are_rewritten_from_viewpoints() -> None:
    queries = [
        {"viewpoint": "time", "text": "highest tides 2026", "time_range": "year"},
        {"viewpoint": "local language", "text": "marées les plus hautes", "location": "Canada"},
        {"viewpoint": "skeptic", "text": "Highest tides 2026"},
    ]
    thinking = Thinking([{"queries": queries}], options=DeepSearchOptions(search_language="fr"))
    found = await thinking.reasoner.rewrite(thinking.state, [Query("tides")], ["Tides: They reach 16 metres."])
    assert found == [Query("highest tides 2026", "year"), Query("marées les plus hautes", location="Canada")]
    assert thinking.material["found"] == ["Tides: They reach 16 metres."]
    assert all(name in thinking.task for name in VIEWPOINTS)
    assert '["tides"]' in thinking.task
    assert "'fr'" in thinking.task


async def test_no_better_query_is_none() -> None:
    thinking = Thinking([{"queries": []}])
    assert await thinking.reasoner.rewrite(thinking.state, [Query("tides")], []) == []


async def test_an_analysis_has_three_parts() -> None:
    thinking = Thinking([{"recap": "a\nb", "blame": "c" * 9000, "improvement": "d"}])
    rejected = Rejected(QUESTION, "Somewhere.", "definitive", "It is vague.")
    thinking.state.diary.append("Searched.")
    analysis = await thinking.reasoner.analyse(thinking.state, rejected)
    recap, blame, improvement = analysis.splitlines()
    assert recap.endswith(": a b")
    assert len(blame) < 530
    assert improvement.endswith(": d")
    material = thinking.material
    assert (material["answer"], material["rejected_because"]) == (["Somewhere."], ["definitive: It is vague."])
    assert material["diary"] == ["Searched."]


async def test_the_conclusion_is_written_from_the_rest_of_the_budget() -> None:
    options = DeepSearchOptions(budget=Budget(tokens=4000))
    thinking = Thinking([{"answered": True, "answer": "In the **Bay of Fundy**."}], options=options)
    thinking.meter.admit(10)
    thinking.meter.charge(thinking.meter.usage, admitted=10)
    thinking.state.knowledge.append(Knowledge("answer", "What of moons?", "Titan.", (MOONS.id,)))
    assert await thinking.reasoner.conclude(thinking.state) == Draft("In the **Bay of Fundy**.")
    assert [one["text"] for one in thinking.material["documents"]] == [MOONS.text, TIDES.text]
    thinking.meter.admit(3400, final=True)
    thinking.meter.release(3400)
    with pytest.raises(BudgetEnded):
        await thinking.reasoner.conclude(thinking.state)


async def test_a_shorter_prompt_may_find_room_for_the_last_answer() -> None:
    options = DeepSearchOptions(budget=Budget(tokens=6000))
    thinking = Thinking([{"answered": True, "answer": "In the Bay of Fundy."}], options=options)
    thinking.state.add([Document(f"{n} {'the highest tides ' * 300}") for n in range(9)])
    thinking.meter.admit(5000, final=True)  # of another call, under way
    assert await thinking.reasoner.conclude(thinking.state) == Draft("In the Bay of Fundy.")
    assert thinking.tokens < 1000
    with pytest.raises(BudgetEnded):
        await thinking.reasoner.conclude(thinking.state)


@pytest.mark.parametrize("reply", [{"answered": False, "answer": "I do not know."}, {"answered": False, "answer": ""}])
async def test_a_conclusion_may_be_that_nothing_answers(reply: dict[str, Any]) -> None:
    thinking = Thinking([reply, reply])
    assert await thinking.reasoner.conclude(thinking.state) == Draft("")
    assert await thinking.reasoner.merge(thinking.state, [("Where?", "")]) == Draft("")


async def test_a_teams_answers_are_merged() -> None:
    thinking = Thinking([{"answered": True, "answer": "16 metres, in Canada."}])
    answers = [("How high?", "16 metres. [^1] [unverified]"), ("Where?", "Canada. [^1]"), ("Why?", "")]
    assert await thinking.reasoner.merge(thinking.state, answers) == Draft("16 metres, in Canada.")
    assert thinking.material["answers"] == [
        {"question": "How high?", "text": "16 metres."}, {"question": "Where?", "text": "Canada."},
    ]  # fmt: skip


async def test_a_plan_has_no_more_questions_than_wanted() -> None:
    thinking = Thinking([{"think": "", "questions": ["a?", "b?", "c?"]}])
    assert await thinking.reasoner.plan(thinking.state, 2) == ["a?", "b?"]
    assert "up to 2 " in thinking.task


@pytest.mark.parametrize(
    ("schema", "reply", "value"),
    [
        (HEIGHT, {"metres": 16}, {"metres": 16}),
        ({}, {"anything": [1]}, {"anything": [1]}),
        ({"type": "array", "items": {"type": "integer"}}, {"value": [1, 2]}, [1, 2]),
        ({"enum": ["high", "low"]}, {"value": "high"}, "high"),
        ({"$ref": "#/$defs/h", "$defs": {"h": HEIGHT}}, {"value": {"metres": 3}}, {"metres": 3}),
    ],
)
async def test_a_schema_is_filled(schema: dict[str, Any], reply: Any, value: Any) -> None:
    thinking = Thinking(
        ["no", {"metres": 999, "value": {"metres": 999}}, reply], options=DeepSearchOptions(schema=schema)
    )
    if schema == {}:
        thinking = Thinking(["no", reply], options=DeepSearchOptions(schema=schema))
    assert await thinking.reasoner.fill(thinking.state, "16 metres. [^1]") == value
    assert thinking.material["answer"] == ["16 metres."]
    assert thinking.material["documents"]


async def test_a_schema_that_is_never_filled_is_an_error() -> None:
    thinking = Thinking([{"metres": "high"}] * 3, options=DeepSearchOptions(schema=HEIGHT))
    with pytest.raises(ChatError, match="3 attempts"):
        await thinking.reasoner.fill(thinking.state, "16 metres.")
