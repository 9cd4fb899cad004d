"""Whatever one of the parts does, a search ends in time, with an answer, and replays."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter, defaultdict

import pytest
from deep_search.conftest import QUESTION
from deep_search.scripted_mind import Mind, answer, search, visit
from deep_search.unreliable import Unreliable, UnreliableSearch

from jina_components import ChatMessage, DeepSearchAgent
from jina_components.core.background import background_loop
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import (
    IndexFilesError,
    InputError,
    MissingDependencyError,
    TraceError,
    WebError,
)
from jina_components.testing import FakeJSONChat

TRUE = "The water in the Bay of Fundy rises and falls by 16 metres."  # in words of its own, so that it is verified
PLAN = {"think": "", "questions": ["Where are the highest tides?", "How high are they?", "Why are they so high?"]}
PARTS = ("rerank", "embed", "retrieve", "ground", "read", "search")


def usual(decide=None):
    """A script with which each member of a team does the same: searches, reads, searches again and answers."""

    def script(request):
        prompt = request["messages"][-1]["content"]
        return minds[next((question for question in PLAN["questions"] if question in prompt), "")](request)

    decide = decide or [search("highest tides"), visit(4, 5, 6), search("moons"), answer(TRUE)]
    found = {"answered": True, "answer": TRUE}
    minds = defaultdict(lambda: Mind(decide=decide, plan=[PLAN], conclude=[found]))
    return script


def agent_of(tides, before, script=None, *, reads=False, **options):
    """An agent whose chat model follows a script without a wire, and whose parts are unreliable."""
    parts, script = Unreliable(tides, before), script or usual()

    class Chat(FakeJSONChat):
        async def achat_json(self, messages, *, schema):
            request = {
                "messages": [{"content": message.content} for message in messages],
                "response_format": {"json_schema": {"schema": schema}},
            }
            await asyncio.to_thread(before, "chat")
            self._replies = lambda _: json.dumps(script(request))
            return await super().achat_json(messages, schema=schema)

    sources = [parts, UnreliableSearch(before, reads=reads)]
    return DeepSearchAgent(
        sources, reader=None if reads else parts, reranker=parts, embedder=parts, grounder=parts, chat=Chat([]),
        options=DeepSearchOptions(no_direct_answer=True, **options), min_relevance=0.05,
    )  # fmt: skip


@pytest.mark.parametrize("team", [1, 3])
@pytest.mark.parametrize("stuck", [*PARTS, "chat"])
def test_no_part_that_hangs_outlasts_the_time(tides, stuck, team):
    over = threading.Event()

    def before(kind):
        if kind == stuck:
            over.wait(60)

    agent = agent_of(tides, before, budget=Budget(seconds=0.7), team_size=team)
    began = time.monotonic()
    try:
        found = agent.run(QUESTION)
    finally:
        over.set()
    assert time.monotonic() - began < 20  # of 60 and more
    assert found.spent.seconds < 10
    assert found.warnings
    assert agent.replay(found.trace) == found


def test_a_file_that_is_not_read_in_time_is_the_callers(tides, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    over = threading.Event()
    agent = agent_of(tides, lambda kind: over.wait(60) if kind == "read" else None, budget=Budget(seconds=0.3))
    asked = [ChatMessage("user", QUESTION, files=(tmp_path / "a.pdf",))]
    with pytest.raises(InputError, match="could not be read"):
        agent.run(asked, checkpoint=tmp_path / "kept")
    over.set()
    mended = agent_of(tides, lambda kind: None, budget=Budget(seconds=0.3))
    assert mended.run(asked, checkpoint=tmp_path / "kept").text


ERRORS = (RuntimeError("broken"), WebError("Down."), InputError("It is odd."), IndexFilesError("The disk is full."))


def failing_after(times, part, error):
    """A part that fails from its so many-th call on."""
    calls = Counter()

    def before(kind):
        calls[kind] += 1
        if kind == part and calls[kind] > times:
            raise error

    return before


@pytest.mark.parametrize("team", [1, 3])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("part", [*PARTS, "chat"])
def test_a_part_that_fails_later_does_not_lose_the_search(tides, part, error, team):
    agent = agent_of(tides, failing_after(2 * team, part, error), team_size=team)
    found = agent.run(QUESTION)
    assert found.text
    assert found.passages
    assert agent.replay(found.trace) == found


@pytest.mark.parametrize("error", [InputError("There are no documents."), MissingDependencyError("pip install …")])
@pytest.mark.parametrize("team", [1, 3])
def test_a_source_that_never_worked_is_the_callers_to_mend(tides, error, team, tmp_path):
    agent = agent_of(tides, failing_after(0, "retrieve", error), team_size=team)
    with pytest.raises(type(error), match=str(error)):
        agent.run(QUESTION, checkpoint=tmp_path / "kept")
    mended = agent_of(tides, lambda kind: None, team_size=team)
    assert mended.run(QUESTION, checkpoint=tmp_path / "kept").answered


@pytest.mark.parametrize("error", [RuntimeError("no"), WebError("Down.")])
def test_sources_that_never_work_are_told(tides, error):
    def before(kind):
        if kind in ("retrieve", "search"):
            raise error

    found = agent_of(tides, before).run(QUESTION)
    assert not found.answered
    assert any(str(error) in warning for warning in found.warnings)


def test_odd_queries_of_a_model_are_not_asked(tides):
    script = usual([search("?!", "…", "  "), search("highest tides", "??"), answer(TRUE)])
    steps = list(agent_of(tides, lambda kind: None, script).stream(QUESTION))
    assert [step.queries for step in steps if step.kind == "search"] == [("highest tides",)]


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_teams_replay_under_load(tides, seed, reads):
    """With threads that take as long as they like, some of them to fail."""
    over, chance, lock = threading.Event(), random.Random(seed), threading.Lock()

    def before(kind):
        with lock:
            seconds, fails = chance.random() / 50, kind != "chat" and chance.random() < 0.1
        time.sleep(seconds)
        if fails:
            raise RuntimeError(f"{kind} failed for the {seconds} reason")

    def burn():
        while not over.is_set():
            sum(range(10_000))

    busy = [threading.Thread(target=burn) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        script = usual([search("highest tides", "moons of Saturn", "bread"), visit(4, 5, 6), answer(TRUE)])
        agent = agent_of(tides, before, script, reads=reads, team_size=3, budget=Budget(seconds=60))
        found = agent.run(QUESTION)
        assert agent.replay(found.trace) == found
    finally:
        over.set()
        for thread in busy:
            thread.join()


def test_a_model_that_fails_while_another_query_is_compared_is_replayed(tides):
    chance, lock = random.Random(5), threading.Lock()

    def before(kind):
        if kind == "rerank":
            raise RuntimeError("It broke.")
        with lock:
            seconds = chance.choice((0, 0.05))
        time.sleep(seconds)

    script = usual([search("highest tides", "moons of Saturn", "bread"), answer(TRUE)])
    agent = agent_of(tides, before, script, reads=True)
    found = agent.run(QUESTION)
    assert agent.replay(found.trace) == found


def test_a_stream_that_is_closed_leaves_no_task(tides):
    def tasks():
        return asyncio.all_tasks(background_loop())

    before, slow = tasks(), threading.Event()
    for wanted in ("plan", "search", "found", "read", "answer", "write"):
        steps = agent_of(tides, lambda kind: slow.wait(0.03) and None, team_size=3).stream(QUESTION)
        assert any(step.kind == wanted for step in steps)
        steps.close()
        assert tasks() <= before


def test_a_team_is_no_larger_than_its_steps(tides):
    found = agent_of(tides, lambda kind: None, team_size=3, budget=Budget(steps=1)).run(QUESTION)
    assert found.spent.steps == 1
    assert any("one step" in warning for warning in found.warnings)
    assert agent_of(tides, lambda kind: None, team_size=3, budget=Budget(steps=2)).run(QUESTION).spent.steps == 2


def test_a_trace_of_something_else_is_refused(tides):
    trace = agent_of(tides, lambda kind: None).run(QUESTION).trace
    for request in ({}, [], {"question": 5}):
        with pytest.raises(TraceError, match="question"):
            agent_of(tides, lambda kind: None).replay(type(trace)(request))
