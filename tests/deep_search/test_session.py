from __future__ import annotations

import asyncio
import json
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest
from deep_search.conftest import FACT, QUESTION
from deep_search.scripted_mind import Mind, answer, search

from jina_components import ChatMessage, DeepSearchAgent, Image
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import BackendError, BusyError, ConfigError, InputError, TraceError
from jina_components.testing import FakeJSONChat, ScriptedReply
from jina_components.types import Trace

TRUE = "The tides in the Bay of Fundy reach 16 metres."
SCHEMA = {
    "type": "object",
    "properties": {"metres": {"type": "integer"}, "page": {"type": "string"}},
    "required": ["metres"],
}
PLAN = [{"think": "", "questions": ["Where are the highest tides?", "How high are they?"]}]


def usual(**more):
    return Mind(**{"decide": [search("tides"), answer(TRUE)], "conclude": [{"answered": True, "answer": TRUE}], **more})


class Unreachable:
    """A chat model that must not be asked."""

    async def achat(self, messages):
        raise AssertionError("asked")


def test_a_trace_replays_without_any_part_being_asked(thinking, tmp_path, tides):
    agent, server = thinking(usual())
    found = agent.run(QUESTION)
    found.trace.save(tmp_path / "trace.jsonl")
    asked = len(server.requests)
    loaded = Trace.load(tmp_path / "trace.jsonl")
    assert agent.replay(loaded) == found
    assert len(server.requests) == asked
    assert DeepSearchAgent(tides, chat=Unreachable()).replay(loaded) == found
    assert [step.kind for step in loaded.steps] == [step.kind for step in found.trace.steps]
    assert "<svg" in found.trace._repr_html_() or "<div" in found.trace._repr_html_()


def test_a_trace_of_another_search_is_refused(thinking, tides):
    agent, _ = thinking(usual())
    trace = agent.run(QUESTION).trace
    with pytest.raises(TraceError, match="question"):
        agent.replay(trace, "Something else?")
    with pytest.raises(TraceError, match="chat"):
        DeepSearchAgent(tides).replay(trace)


def test_an_interrupted_search_goes_on_where_it_stood(thinking, tmp_path):
    whole = thinking(usual())[0].run(QUESTION)
    mind = usual()
    agent, server = thinking(mind)
    checkpoint = tmp_path / "search.jsonl"
    steps = agent.stream(QUESTION, checkpoint=checkpoint)
    for step in steps:
        if step.kind == "found":
            break
    steps.close()
    mind.replies["decide"] = [answer(TRUE)]  # the first decision is on record
    resumed = agent.run(QUESTION, checkpoint=checkpoint)
    assert (resumed.text, resumed.ended) == (whole.text, whole.ended)
    before = len(server.requests)
    assert agent.run(QUESTION, checkpoint=checkpoint) == resumed  # nothing is left to be asked
    assert len(server.requests) == before


def test_a_checkpoint_is_of_one_search_at_a_time(thinking, tmp_path):
    agent, _ = thinking(usual())
    steps = agent.stream(QUESTION, checkpoint=tmp_path / "one")
    next(steps)
    with pytest.raises(BusyError):
        agent.run(QUESTION, checkpoint=tmp_path / "one")
    steps.close()
    with pytest.raises(TraceError):
        agent.run("What is bread made of?", checkpoint=tmp_path / "one")


KILLED = """
import sys
from deep_search.conftest import CORPUS, QUESTION
from jina_components import DeepSearchAgent, OpenAIChat, Retriever
from jina_components.testing import FakeEmbedder
retriever = Retriever(FakeEmbedder())
retriever.add(CORPUS)
DeepSearchAgent(retriever, chat=OpenAIChat("scripted", base_url=sys.argv[1])).run(QUESTION, checkpoint=sys.argv[2])
"""


@pytest.mark.slow
def test_a_search_survives_a_kill(thinking, tmp_path):
    gate = threading.Event()

    def script(request):
        reply = mind(request)
        if len(mind.asked["decide"]) == 2:
            gate.set()
            time.sleep(0.5)
        return reply

    mind = usual()
    agent, server = thinking(script)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, server.base_url, tmp_path / "kept"], env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert gate.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    mind.replies["decide"] = [answer(TRUE)]
    found = agent.run(QUESTION, checkpoint=tmp_path / "kept")
    assert found.text == f"{TRUE}[^1]"
    assert len(mind.asked["rewrite"]) == 1


def test_a_closed_stream_asks_no_more(thinking):
    agent, server = thinking(usual())
    for step in agent.stream(QUESTION):
        if step.kind == "found":
            break
    asked = len(server.requests)
    time.sleep(0.2)
    assert len(server.requests) == asked


async def test_a_cancelled_search_ends(thinking):
    agent, server = thinking(Mind(decide=[ScriptedReply(text="{}", delay=10)]))
    task = asyncio.create_task(agent.arun(QUESTION))
    while not server.requests:  # noqa: ASYNC110 (the server is no task)
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_twins_say_the_same(thinking):
    agent, _ = thinking(usual())
    sync = await asyncio.to_thread(agent.run, QUESTION)
    agent, _ = thinking(usual())
    assert (await agent.arun(QUESTION)).text == sync.text
    agent, _ = thinking(usual())
    kinds = [step.kind async for step in agent.astream(QUESTION)]
    agent, _ = thinking(usual())
    assert kinds == [step.kind for step in await asyncio.to_thread(lambda: list(agent.stream(QUESTION)))]


def test_the_answer_fills_a_schema_and_holds_no_invented_url(thinking):
    agent, _ = thinking(usual(value=[{"metres": "many"}, {"metres": 16, "page": "https://evil.com/x says so"}]))
    found = agent.run(QUESTION, options=DeepSearchOptions(schema=SCHEMA))
    assert found.value["metres"] == 16
    assert "evil" not in found.text
    assert json.loads(found.text) == found.value
    assert found.citations[0].quote == FACT


def test_a_schema_that_is_never_filled_leaves_the_answer(thinking):
    agent, _ = thinking(usual(value=["no"]))
    found = agent.run(QUESTION, options=DeepSearchOptions(schema=SCHEMA))
    assert (found.text, found.value) == (f"{TRUE}[^1]", None)
    assert any("schema" in warning for warning in found.warnings)


def test_a_schema_needs_a_chat_model(tides):
    with pytest.raises(ConfigError, match="chat"):
        DeepSearchAgent(tides).run(QUESTION, options=DeepSearchOptions(schema=SCHEMA))


def test_a_team_works_at_the_same_time_and_its_answers_are_one(thinking):
    both = "The Bay of Fundy has the highest tides in the world. They reach 16 metres."
    agent, _ = thinking(usual(plan=PLAN, conclude=[{"answered": True, "answer": both}]))
    options = DeepSearchOptions(team_size=2, budget=Budget(tokens=60_000))
    steps = list(agent.stream(QUESTION, options=options))
    found = steps[-1].answer
    assert {step.member for step in steps} == {"", "1", "2"}
    assert {step.question for step in steps if step.member} == set(PLAN[0]["questions"])
    assert found.text.replace("[^1]", "").replace("[^2]", "") == both
    assert found.spent.steps >= 2
    assert agent.replay(found.trace, options=options) == found


def test_a_team_that_cannot_be_made_is_told(thinking):
    agent, _ = thinking(usual(plan=["?"]))
    found = agent.run(QUESTION, options=DeepSearchOptions(team_size=3))
    assert found.answered
    assert "No team was made" in found.warnings[0]


def test_a_conversation_its_images_and_files(thinking, tmp_path):
    (tmp_path / "note.txt").write_text("The harbour of Saint John closes at nine in the evening.")
    mind = Mind(decide=[answer("The harbour of Saint John closes at nine in the evening.")])
    agent, server = thinking(mind)
    png = bytes.fromhex("89504e470d0a1a0a") + b"\0" * 16
    found = agent.run([
        ChatMessage("system", "Be brief."), ChatMessage("user", "I go to Canada."),
        ChatMessage("assistant", "<think>hm</think>How nice!"),
        ChatMessage("user", "When does the harbour close?", images=(Image(png),), files=(tmp_path / "note.txt",)),
    ])  # fmt: skip
    assert found.citations[0].source == str(tmp_path / "note.txt")
    assert found.answered
    prompt = mind.asked["decide"][0]
    assert "How nice!" in prompt
    assert "hm</think>" not in prompt
    assert any(part.get("type") == "image_url" for part in server.requests[0]["messages"][-1]["content"])


def test_a_language_is_asked_for(thinking):
    mind = usual()
    thinking(mind)[0].run(QUESTION, options=DeepSearchOptions(language="de"))
    assert "de" in mind.asked["decide"][0].split("Write the texts of your reply")[1][:60]


class Broken:
    def rerank(self, query, documents, *, top_n=None, truncate=False):
        raise BackendError("It broke.")

    def embed_query(self, text):
        raise RuntimeError("It broke too.")

    def embed_documents(self, texts):
        raise RuntimeError("It broke too.")

    async def aground(self, statement, *, references=None):
        raise BackendError("And this.")


def test_models_that_break_are_told_and_words_take_their_place(thinking):
    broken = Broken()
    agent, _ = thinking(usual(), reranker=broken, embedder=broken, grounder=broken)
    found = agent.run(QUESTION)
    assert found.ended in ("answered", "attempts", "no progress")
    told = " ".join(found.warnings)
    assert "The reranker failed" in told
    assert "The embedder failed" in told
    assert agent.replay(found.trace) == found


def test_settings_are_checked(tides):
    for wrong in ({"reader": object()}, {"chat": FakeJSONChat}, {"top_k": 0}, {"max_quotes": True}):
        with pytest.raises(ConfigError):
            DeepSearchAgent(tides, **wrong)
    for sources in (None, [], [object()], "corpus"):
        with pytest.raises(ConfigError, match="sources"):
            DeepSearchAgent(sources)


@pytest.mark.parametrize("question", ["", " ", "?!", None, 7, [], ["x"], [ChatMessage("assistant", "Hi")]])
def test_a_question_is_needed(tides, question):
    with pytest.raises(InputError):
        DeepSearchAgent(tides).run(question)


def test_it_pickles_as_its_settings(tides):
    agent = DeepSearchAgent(sources=[tides], options=DeepSearchOptions(team_size=2), top_k=7)
    assert repr(agent).startswith("DeepSearchAgent(Retriever(")
    assert "top_k=7" in repr(agent)
    assert agent._arguments[1]["options"].team_size == 2
    assert pickle.loads(pickle.dumps(DeepSearchOptions(team_size=2))).team_size == 2
