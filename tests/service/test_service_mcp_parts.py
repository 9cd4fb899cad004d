"""Parts of the tools that need no service: choosing, cutting, writing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import ImageContent, TextContent

from jina_components.service.mcp.client import ToolError
from jina_components.service.mcp.ranking import diverse
from jina_components.service.mcp.results import cut, each, most_tokens, text
from jina_components.service.mcp.tools import LEFT_OUT, TAGS, TOOLS, Choice, choice
from jina_components.service.wire.pages import tokens_of

PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from("\n \t#-:'\""))
VALUES = st.recursive(
    PLAIN | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(PLAIN, VALUES, max_size=4))
def test_yaml_says_what_it_was_given(value):
    assert yaml.safe_load(text(value).text) == value


def test_lines_stay_lines():
    assert text({"content": "# Tides\n\nThe sea."}).text == "content: |-\n  # Tides\n\n  The sea.\n"


@given(
    st.lists(st.sampled_from(["tides", "The moon pulls. ", "水が上がる。", "\n", "🌍"]), max_size=60),
    st.integers(1, 80),
)
def test_a_cut_is_the_beginning_and_no_longer(words, most):
    whole = "".join(words)
    kept = cut([text(whole)], most)
    assert whole.startswith(kept[0].text)
    assert tokens_of(kept[0].text) <= most
    if tokens_of(whole) <= most:
        assert [part.text for part in kept] == [whole]
    else:
        assert f"{most:,} are taken" in kept[-1].text


def test_what_comes_after_a_cut_is_left_out():
    image = ImageContent(type="image", data="", mime_type="image/jpeg")
    kept = cut([text("one two three"), text("four five six " * 9), image, text("seven")], 5)
    assert [part.text for part in kept if isinstance(part, TextContent)][:2] == ["one two three", "four five"]
    assert kept[2] is image
    assert "more tokens are left out" in kept[3].text
    assert len(kept) == 4


def test_clients_that_take_less_are_known():
    assert most_tokens("claude-code/2.0 (cli)") == most_tokens("Claude-AI") == 20_000
    assert most_tokens("codex") is None


def unit(*rows):
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_those_that_stand_for_others_are_kept():
    vectors = unit((1, 0, 0), (1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    kept = diverse(vectors)
    assert kept[0] == 0  # it stands for three
    assert sorted(kept) == [0, 3, 4]
    assert diverse(vectors, 2)[0] == 0
    assert sorted(diverse(vectors, 5)) == [0, 1, 2, 3, 4]
    assert diverse(unit((0, 1))) == [0]


def test_many_that_differ_all_stay():
    assert len(diverse(np.eye(300, dtype=np.float32))) == 300


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_as_many_as_asked_for_each_once(number, k, seed):
    vectors = unit(*np.random.default_rng(seed).normal(size=(number, 4)))
    kept = diverse(vectors, min(k, number))
    assert len(set(kept)) == len(kept) == min(k, number)


@given(
    st.sets(st.sampled_from([*TOOLS, *LEFT_OUT])), st.sets(st.sampled_from(TAGS)),
    st.sets(st.sampled_from([*TOOLS])), st.sets(st.sampled_from([*TAGS, "none"])),
)  # fmt: skip
def test_a_choice_of_tools(tools, tags, without, without_tags):
    given_ = {"include_tools": tools, "include_tags": tags, "exclude_tools": without, "exclude_tags": without_tags}
    chosen = choice({name: " , ".join(names).upper() for name, names in given_.items()}).of(TOOLS)
    assert not without & {*chosen}
    assert not any(without_tags & {*TOOLS[name].tags} for name in chosen)
    if tools or tags:
        assert all(name in tools or tags & {*TOOLS[name].tags} for name in chosen)
    else:
        assert {*chosen} == {name for name in TOOLS if name not in without and not without_tags & {*TOOLS[name].tags}}
    assert choice({}) == Choice()


async def test_one_that_fails_or_is_late_leaves_the_others():
    async def work(item):
        if item == "bad":
            raise ToolError("422: It is bad.")
        await asyncio.sleep(3600 if item == "late" else 0)
        return item

    steps = []

    async def done(number, total):
        steps.append((number, total))

    items = {name: name for name in ("good", "bad", "late")}
    found = await each(items, work, seconds=0.05, done=done)
    assert [part.text for part in found] == [
        "good", "Error: bad: 422: It is bad.", "Error: late: not done within 0.05 seconds.",
    ]  # fmt: skip
    assert steps == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(ToolError, match="bad"):
        await each({"bad": "bad"}, work, seconds=1, done=done)
