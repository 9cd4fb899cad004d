from __future__ import annotations

import json

import pytest
from deep_search.conftest import FACT, QUESTION
from deep_search.scripted_mind import Mind, answer, calculate, reflect, search, visit
from local_server import http, loopback_fetcher

from jina_components import Document, Reader, Retriever
from jina_components.core.background import run_sync
from jina_components.deep_search_options import Budget, Prices
from jina_components.errors import ChatError, InputError, WebError
from jina_components.testing import FakeEmbedder, ScriptedReply
from jina_components.types import SearchResult, SearchResults, Usage

TRUE = "The tides in the Bay of Fundy reach 16 metres."
FOUND = {"answered": True, "answer": TRUE}


def kinds(steps):
    return [step.kind for step in steps]


def told(steps, kind):
    return [step.text for step in steps if step.kind == kind]


def ran(agent, question=QUESTION):
    steps = list(agent.stream(question))
    return steps, steps[-1].answer


class Elsewhere:
    """A search that finds pages and reads none."""

    def __init__(self, *urls, error=None):
        self.urls, self.error, self.queries = urls, error, []

    async def asearch(self, query, *, options=None):
        self.queries.append(query)
        if self.error:
            raise self.error
        return SearchResults(query, tuple(SearchResult(url, "Tides", "About tides") for url in self.urls))


def test_searched_answered_and_cited(thinking):
    agent, server = thinking(Mind(decide=[search("highest tides"), answer(TRUE)]))
    steps, found = ran(agent)
    assert kinds(steps) == [
        "think", "search", "found", "think", "answer", "evaluate", "evaluate", "evaluate", "verify", "done",
    ]  # fmt: skip
    assert found.answered
    assert (found.ended, found.spent.steps) == ("answered", 2)
    assert found.text == f"{TRUE}[^1]"
    assert found.citations[0].quote == FACT
    assert found.spent.tokens == found.usage.total_tokens > 0
    assert found.passages[0].document.id == "tides"
    assert all(request["response_format"]["type"] == "json_schema" for request in server.requests)


def test_a_greeting_needs_no_sources_unless_that_is_barred(thinking):
    script = {"decide": [answer("Hello! How can I help?"), search("hello"), answer("Hello!")]}
    agent, server = thinking(Mind(**script))
    _, found = ran(agent, "Hello!")
    assert (found.ended, found.answered, found.citations) == ("direct", True, ())
    assert len(server.requests) == 1
    agent, server = thinking(Mind(**script), options={"no_direct_answer": True})
    _, found = ran(agent, "Hello!")
    assert found.ended != "direct"
    assert (
        "answer" not in server.requests[0]["response_format"]["json_schema"]["schema"]["properties"]["action"]["enum"]
    )


def test_a_direct_answer_that_claims_something_has_to_be_searched_for(thinking):
    agent, _ = thinking(Mind(decide=[answer(TRUE), search("tides"), answer(TRUE)]))
    steps, found = ran(agent)
    assert kinds(steps)[:3] == ["think", "answer", "skip"]
    assert (found.ended, found.text) == ("answered", f"{TRUE}[^1]")


def test_sub_questions_are_answered_in_turn_and_known_afterwards(thinking):
    mind = Mind(
        decide=[search("tides"), reflect("Where are the highest tides?"), answer(TRUE),
                answer("The Bay of Fundy has the highest tides in the world."), answer(TRUE)],
        strict=[{"reason": "vague", "passed": False, "plan": "say where"}, {"reason": "", "passed": True}],
    )  # fmt: skip
    agent, _ = thinking(mind)
    steps, found = ran(agent)
    assert [step.question for step in steps if step.kind == "answer"] == [
        QUESTION, "Where are the highest tides?", QUESTION,
    ]  # fmt: skip
    assert found.ended == "answered"
    assert "The Bay of Fundy has the highest tides" in mind.asked["decide"][-1]


def test_questions_asked_before_are_not_asked_again(thinking):
    agent, _ = thinking(Mind(decide=[search("tides"), reflect(QUESTION), answer(TRUE)]))
    steps, _ = ran(agent)
    assert told(steps, "skip") == ["These questions were asked before."]


def test_queries_asked_before_are_not_asked_again(thinking):
    agent, _ = thinking(Mind(decide=[search("tides"), search("Tides", "TIDES"), answer(TRUE)]))
    steps, _ = ran(agent)
    assert kinds(steps).count("search") == 1
    assert told(steps, "skip") == ["All these queries were asked before."]


def test_queries_are_rewritten_from_what_the_first_ones_found(thinking):
    mind = Mind(
        decide=[search("tides"), answer(TRUE)],
        rewrite=[{"queries": [{"viewpoint": "history", "text": "moons of Saturn"}]}],
    )
    steps, _ = ran(thinking(mind)[0])
    assert [step.queries for step in steps if step.kind == "search"] == [("tides",), ("moons of Saturn",)]
    assert "highest tides in the world" in mind.asked["rewrite"][0]


def test_queries_that_cannot_be_rewritten_are_asked_as_they_are(thinking):
    mind = Mind(decide=[search("tides"), search("moons"), search("bread"), answer(TRUE)], rewrite=["nonsense"])
    steps, found = ran(thinking(mind)[0])
    assert [step.queries for step in steps if step.kind == "search"] == [("tides",), ("moons",), ("bread",)]
    assert found.ended == "answered"
    assert len(found.warnings) == 1  # told once


def test_a_draft_that_nobody_could_judge_is_kept(thinking):
    failed = ScriptedReply(status=500)
    mind = Mind(decide=[search("tides"), answer(TRUE), failed], criteria=[failed], conclude=[failed])
    _, found = ran(thinking(mind)[0])
    assert (found.ended, found.text) == ("chat failed", f"{TRUE}[^1]")
    assert any("did not pass" in warning for warning in found.warnings)


def test_calculations_and_questions_alone_are_no_progress(thinking):
    decide = [search("tides"), *[each for n in range(20) for each in (calculate(f"{n} + 1"), reflect(f"What is {n}?"))]]
    _, found = ran(thinking(Mind(decide=decide, conclude=[FOUND]))[0])
    assert (found.ended, found.spent.steps) == ("no progress", 5)


def test_calculations_are_done_and_known(thinking):
    mind = Mind(decide=[search("tides"), calculate("16 * 2"), answer("Twice as high would be 32 metres.")])
    steps, found = ran(thinking(mind)[0])
    assert told(steps, "calculate") == ["16 * 2 = 32"]
    assert "32" in mind.asked["decide"][-1]
    assert found.answered
    assert "[unverified]" not in found.text


@pytest.mark.parametrize("code", ["().__class__", "9**9**9", "import os", "1/0", "open('x')"])
def test_what_cannot_be_calculated_is_told(thinking, code):
    steps, found = ran(thinking(Mind(decide=[search("tides"), calculate(code), answer(TRUE)]))[0])
    assert told(steps, "skip")[0].startswith("This cannot be calculated")
    assert found.ended == "answered"


def test_pages_are_visited_by_number_alone_and_after_a_search_before_an_answer(thinking, server):
    body = f"<title>Tides</title><article><h1>Tides</h1><p>{TRUE} {'It is a bay of Canada. ' * 30}</p></article>"
    server.routes["/tides"] = [http(body=body.encode(), content_type="text/html")]
    web = Elsewhere(server.url("/tides"), server.url("/missing"))
    fetcher = loopback_fetcher(retries=0)
    reader = Reader(fetcher=fetcher)
    decide = [search("tides"), answer(TRUE), visit(7, 99), visit(1, 2), answer(TRUE)]
    agent, chat = thinking(Mind(decide=decide), source=web, reader=reader)
    steps, found = ran(agent)
    run_sync(fetcher.aclose())
    allowed = [one["response_format"]["json_schema"]["schema"]["properties"].get("action") for one in chat.requests]
    assert [one["enum"] for one in allowed if one][1] == ["visit", "reflect", "calculate"]
    assert [step.urls for step in steps if step.kind == "visit"] == [(server.url("/tides"), server.url("/missing"))]
    assert found.citations[0].source == server.url("/tides")
    assert found.read_urls == (server.url("/tides"),)
    assert found.num_urls == 2
    assert any("/missing" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("evaluator", "criteria", "verdict"),
    [
        ("definitive", {"definitive": True}, {"definitive": {"reason": "It hedges.", "passed": False}}),
        ("freshness", {"freshness": True}, {"freshness": {"subject": "news"}}),
        ("plurality", {"plurality": True}, {"plurality": {"wording": "number", "given": 1, "asked": 5}}),
        ("completeness", {"completeness": True}, {"completeness": {"aspects": [{"aspect": "why", "covered": False}]}}),
        ("strict", {}, {"strict": {"reason": "Vague.", "passed": False, "plan": "more"}}),
    ],
)
def test_every_evaluator_rejects_and_the_attempts_end(thinking, evaluator, criteria, verdict):
    retriever = Retriever(FakeEmbedder())
    retriever.add([Document(TRUE, "old", {"published_time": "1999-01-01"})])
    flags = {"definitive": False, "freshness": False, "plurality": False, "completeness": False} | criteria
    mind = Mind(
        decide=[search("tides"), answer(TRUE), search("more tides", "moons"), answer(TRUE)], criteria=[flags],
        conclude=[FOUND], **{name: [reply] for name, reply in verdict.items()},
    )  # fmt: skip
    steps, found = ran(thinking(mind, source=retriever)[0])
    assert [text.partition(":")[0] for text in told(steps, "reject")] == [evaluator] * 2
    assert (found.ended, found.answered) == ("attempts", True)
    assert len(mind.asked["analyse"]) == 1
    assert "improvement" in mind.asked["conclude"][0].lower() or "i" in mind.asked["conclude"][0]


def test_what_no_source_shows_is_rejected_by_code(thinking):
    mind = Mind(
        decide=[
            search("tides"),
            answer("The tides reach 99 metres. Elephants are fond of Mongolia."),
            search("x y"),
            answer(TRUE),
        ]
    )
    steps, found = ran(thinking(mind)[0])
    assert told(steps, "reject")[0].startswith("attribution: Nothing that was read shows")
    assert found.text == f"{TRUE}[^1]"


def test_low_effort_has_one_attempt(thinking):
    mind = Mind(decide=[search("tides"), answer(TRUE)], definitive=[{"reason": "", "passed": False}], conclude=[FOUND])
    _, found = ran(thinking(mind, options={"reasoning_effort": "low"})[0])
    assert (found.ended, found.spent.steps) == ("attempts", 2)


def test_a_loop_that_finds_nothing_new_ends(thinking):
    decide = [search("tides"), *[search(f"tides {n}") for n in range(50)]]
    _, found = ran(thinking(Mind(decide=decide, conclude=[FOUND]))[0])
    assert (found.ended, found.answered) == ("no progress", True)
    assert found.spent.steps < 12


@pytest.mark.parametrize(
    ("budget", "ended"),
    [
        (Budget(tokens=4000), "tokens"),
        (Budget(steps=2), "steps"),
        (Budget(money=0.004, prices=Prices(prompt=1.0, completion=1.0)), "money"),
    ],
)
def test_the_budget_ends_the_search_and_leaves_its_share_for_the_answer(thinking, budget, ended):
    decide = [search(f"tides {word}") for word in ("a b", "c d", "e f", "g h", "i j", "k l")]
    _, found = ran(thinking(Mind(decide=decide, conclude=[FOUND]), options={"budget": budget})[0])
    assert (found.ended, found.answered) == (ended, True)
    assert found.spent.tokens <= (budget.tokens or 10**9)
    assert found.spent.steps <= (budget.steps or 10**9)
    assert found.spent.money <= (budget.money or 10**9)


def test_the_time_ends_a_call_under_way(thinking):
    slow = ScriptedReply(text="{}", delay=20)
    _, found = ran(
        thinking(Mind(decide=[search("tides"), slow], conclude=[slow]), options={"budget": Budget(seconds=3)})[0]
    )
    assert found.spent.seconds < 10
    assert found.ended in ("seconds", "chat failed")
    assert found.warnings


def test_a_budget_too_small_for_a_single_prompt_gives_quotes(thinking):
    agent, server = thinking(Mind(), options={"budget": Budget(tokens=50)}, min_relevance=0.1)
    _, found = ran(agent)
    assert server.requests == []
    assert found.ended == "tokens"
    assert found.answered
    assert "made of quotes" in found.warnings[0]


@pytest.mark.parametrize(
    "broken",
    [
        "I would rather talk.", "{", '{"action": "fly"}', '{"think": "x", "action": "search", "queries": []}',
        ScriptedReply(status=500), ScriptedReply(broken="before"), ScriptedReply(broken="within", text="{}" * 99),
        ScriptedReply(body="<html>"), ScriptedReply(body="{}"), ScriptedReply(refusal="I will not."),
        ScriptedReply(finish_reason="content_filter"), ScriptedReply(text='{"think": "', finish_reason="length"),
        ScriptedReply(status=400, code="context_length_exceeded"), ScriptedReply(tool_calls=(("f", "{}"),)),
    ],
)  # fmt: skip
def test_whatever_the_model_does_there_is_an_answer(thinking, broken):
    agent, _ = thinking(lambda _: broken, min_relevance=0.1, timeout=5.0)
    _, found = ran(agent)
    assert found.ended == "chat failed"
    assert found.answered  # by quotes
    assert found.citations
    assert any("chat model failed" in warning for warning in found.warnings)


def test_a_model_that_recovers_goes_on(thinking):
    decide = ["nonsense"] * 3 + [search("tides"), ScriptedReply(refusal="No."), answer(TRUE)]
    _, found = ran(thinking(Mind(decide=decide))[0])
    assert found.ended == "answered"
    assert len(found.warnings) == 2


def test_a_context_that_overflows_is_shown_less(thinking):
    overflow = ScriptedReply(status=400, code="context_length_exceeded")
    _, found = ran(thinking(Mind(decide=[search("tides"), overflow, answer(TRUE)]))[0])
    assert (found.ended, found.warnings) == ("answered", ())


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_key_or_name_that_is_wrong_raises_at_once(thinking, status):
    agent, server = thinking([ScriptedReply(status=status)])
    with pytest.raises(ChatError) as caught:
        agent.run(QUESTION)
    assert caught.value.status_code == status
    assert len(server.requests) == 1


def test_a_key_that_is_revoked_later_ends_with_an_answer(thinking):
    denied = ScriptedReply(status=401)
    agent, _ = thinking(Mind(decide=[search("tides"), denied], conclude=[denied]), min_relevance=0.1)
    assert agent.run(QUESTION).ended == "chat failed"


def test_usage_that_lies_does_not_stretch_the_budget(thinking):
    lies = [Usage(0, 0), "missing", {"prompt_tokens": -5}, {"prompt_tokens": "x"}] * 20
    decide = [
        ScriptedReply(text=json.dumps(search(f"tides {number}")), usage=usage) for number, usage in enumerate(lies)
    ]
    agent, server = thinking(Mind(decide=decide), options={"budget": Budget(tokens=6000)})
    assert agent.run(QUESTION).spent.tokens <= 6000 + 2000
    assert len(server.requests) < 12


def test_a_search_that_fails_is_told(thinking, tides):
    agent, _ = thinking(
        Mind(decide=[search("tides"), answer(TRUE)]),
        source=[tides, Elsewhere(error=WebError("It is down.", "http://x"))],
    )
    _, found = ran(agent)
    assert found.answered
    assert any("It is down." in warning for warning in found.warnings)


def test_when_nothing_is_found_it_says_so(thinking):
    mind = Mind(decide=[search("tides")], conclude=[{"answered": False, "answer": ""}])
    _, found = ran(thinking(mind, source=Elsewhere())[0])
    assert not found.answered
    assert found.text == "The sources do not answer this question."
    assert (found.citations, found.ended) == ((), "no progress")


def test_an_empty_corpus_is_the_callers_to_fill(thinking):
    agent, _ = thinking(Mind(decide=[search("tides")]), source=Retriever(FakeEmbedder()))
    with pytest.raises(InputError, match="no documents"):
        agent.run(QUESTION)


def test_rules_follow_the_names_where_the_model_fails(thinking, bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add([
        Document("Project Falcon is led by Mara Lindt since May.", "falcon", {"title": "Project Falcon"}),
        Document("Mara Lindt was born in Uppsala, where she studied.", "lindt", {"title": "Mara Lindt"}),
    ])  # fmt: skip
    agent, _ = thinking(lambda _: "Let me think.", source=retriever, min_relevance=0.1)
    steps, found = ran(agent, "Where was the leader of Project Falcon born?")
    assert kinds(steps).count("search") > 1
    assert found.ended == "chat failed"
    assert {passage.document.id for passage in found.passages} == {"falcon", "lindt"}
