"""A chat model that lies, floods, breaks off and invents: searches end within their budgets, with a valid answer."""

from __future__ import annotations

import json
import random
import re

import pytest
from deep_search.adversary import INVENTED_HOSTS, INVENTED_QUOTE, Adversary
from deep_search.conftest import CORPUS, QUESTION
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import DeepSearchAgent, OpenAIChat
from jina_components.deep_search.meter import Meter
from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices
from jina_components.errors import ChatError, ContextOverflowError, RefusalError
from jina_components.protocols import ChatReply
from jina_components.testing import FakeJSONChat, ScriptedChatServer, ScriptedReply
from jina_components.types import Usage

TEXTS = {document.id: document.text for document in CORPUS}
SCHEMA = {"type": "object", "properties": {"height": {"type": "string"}, "more": {"type": "array"}}}


class Hostile(FakeJSONChat):
    """The adversary as a chat model that fails too, with the tokens that each of its calls did cost."""

    def __init__(self, seed):
        super().__init__([])
        self.adversary = Adversary(seed)
        self.costs = []

    async def achat(self, messages):
        return self._said(messages, None)

    async def achat_json(self, messages, *, schema):
        return self._said(messages, schema)

    def _said(self, messages, schema):
        pick = self.adversary.random
        if pick.random() < 0.04:
            failures = (
                ChatError("boom", 500),
                RefusalError("no"),
                ContextOverflowError("long", 400),
                ZeroDivisionError("x"),
            )
            raise pick.choice(failures)
        text = self.adversary.reply(schema)
        usage = Usage(pick.choice((0, -5, 200)), pick.choice((0, 7, 10_000 if pick.random() < 0.05 else 1)))
        self.costs.append(max(usage.prompt_tokens, 0) + max(usage.completion_tokens, 0) + len(text))
        return ChatReply(text, usage, pick.choice(("stop", "stop", "stop", "length")))


def random_options(seed):
    pick = random.Random(seed)
    return DeepSearchOptions(
        reasoning_effort=pick.choice(("low", "medium", "high")),
        budget=Budget(
            tokens=pick.choice((500, 5_000, 50_000, None)), steps=pick.choice((None, 1, 8)),
            money=pick.choice((None, 0.01)), prices=Prices(prompt=1.0, completion=3.0),
        ),
        no_direct_answer=pick.random() < 0.5,
        unsupported=pick.choice(("mark", "remove")),
        team_size=pick.choice((1, 1, 1, 3)),
        schema=pick.choice((None, None, SCHEMA)),
    )  # fmt: skip


def check(answer, options, costs):
    """An answer that is sound, whatever the model did."""
    limits = Meter(options)._limits
    in_flight = max(costs, default=0) * options.team_size
    assert answer.spent.tokens <= limits["tokens"] + in_flight
    assert answer.spent.steps <= limits["steps"]
    if limits["money"]:
        assert answer.spent.money <= limits["money"] + in_flight * 3e-6
    said = answer.text
    for invented in (*INVENTED_HOSTS, INVENTED_QUOTE):
        assert invented not in said.casefold()
    for citation in answer.citations:
        assert TEXTS[citation.document_id][citation.start : citation.end] == citation.quote
    if answer.value is None:
        marks = {int(mark) for mark in re.findall(r"\[\^(\d+)\]", answer.text)}
        assert marks == set(range(1, len(answer.citations) + 1))
    assert set(answer.read_urls) <= set(answer.visited_urls) <= set(TEXTS)
    assert answer.text
    assert answer.trace is not None


# Of those that end with an answer, which are three in a thousand.
RARE = (567, 888, 994)


@pytest.mark.slow
def test_random_transcripts_end_within_their_budgets(tides):
    ends = set()
    for seed in (*range(250), *RARE):
        options, chat = random_options(seed), Hostile(seed)
        agent = DeepSearchAgent(tides, chat=chat, options=options, min_relevance=0.1)
        answer = agent.run(QUESTION)
        check(answer, options, chat.costs)
        ends.add(answer.ended)
        if seed % 20 == 0:
            assert agent.replay(answer.trace) == answer
    assert ends >= {"answered", "direct", "tokens", "steps", "money", "attempts", "no progress", "chat failed"}


def test_over_the_wire_too(tides):
    for seed in range(15):
        adversary = Adversary(seed)

        def script(request, adversary=adversary):
            if (pick := adversary.random).random() < 0.05:
                return pick.choice((
                    ScriptedReply(status=500), ScriptedReply(body="<"), ScriptedReply(refusal="no"),
                    ScriptedReply(broken="within", text="{}" * 50), ScriptedReply(usage="missing", text="{}"),
                ))  # fmt: skip
            return ScriptedReply(text=adversary.reply(request["response_format"]["json_schema"]["schema"]))

        options = DeepSearchOptions(budget=Budget(tokens=30_000, steps=6))
        with ScriptedChatServer(script) as server, OpenAIChat("scripted", base_url=server.base_url) as chat:
            answer = DeepSearchAgent(tides, chat=chat, options=options, min_relevance=0.1).run(QUESTION)
        check(answer, options, [60_000])


@settings(max_examples=50, deadline=None)
@given(
    text=st.text(max_size=400),
    url=st.from_regex(r"https?://[a-z0-9-]{1,20}\.(com|io|dev)/[a-zA-Z0-9_/?=&%.-]{0,40}", fullmatch=True),
)
def test_no_invented_url_or_quote_comes_in(tides, text, url):
    invented = f"{text} See {url} or [this]({url}): “{INVENTED_QUOTE}”, as {url} says. They reach 16 metres."
    replies = lambda messages: json.dumps({  # noqa: E731
        "think": url, "action": "answer", "answer": invented, "answered": True, "definitive": False, "freshness": False,
        "plurality": False, "completeness": False, "passed": True, "reason": "", "recap": url, "blame": url,
        "improvement": url, "queries": [],
    })  # fmt: skip
    agent = DeepSearchAgent(tides, chat=FakeJSONChat(replies), options=DeepSearchOptions(no_direct_answer=True))
    answer = agent.run(QUESTION)
    assert url.removeprefix("https://").removeprefix("http://").split("/")[0] not in answer.text.casefold()
    assert INVENTED_QUOTE not in answer.text
