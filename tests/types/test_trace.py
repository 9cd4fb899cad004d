"""A trace is a file and a drawing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_html import HOSTILE, Tags

from jina_components.deep_search.journal import Journal
from jina_components.errors import ReadError, TraceError
from jina_components.types import Answer, DeepSearchStep, Trace, TracedCall
from jina_components.types.answered import StepKind

REQUEST = {"question": "Wie groß?", "options": {"team_size": 2}}
STEPS = (
    DeepSearchStep("search", "2 queries", "Wie groß?", ("größe", "size"), ("https://a.example",), "1", 0.5, 100),
    DeepSearchStep("think", "\ud83d half\u2028a character", at=1.25),
)
CALLS = (
    TracedCall("search", {"query": "größe"}, {"results": []}, member="1", at=0.25, seconds=0.5),
    TracedCall("read", {"url": "u"}, error=("HTTPStatusError", "no", "u", 503, None), at=1.0, seconds=0.5, nth=2),
)
TRACE = Trace(REQUEST, STEPS, CALLS)


def test_steps_are_told_in_sentences():
    assert DeepSearchStep("search", "{tides}").told == "Searching for: {tides}"
    assert DeepSearchStep("found", "passages: 2", member="1").told == "[1] Found passages: 2."
    assert all(DeepSearchStep(kind, "words").told for kind in get_args(StepKind))


def test_survives_a_file(tmp_path: Path) -> None:
    path = tmp_path / "search.trace"
    path.write_text("what was there")
    TRACE.save(path)
    assert Trace.load(path) == TRACE
    assert [file.name for file in tmp_path.iterdir()] == ["search.trace"]


def test_file_has_no_answers_of_steps(tmp_path: Path) -> None:
    done = DeepSearchStep("done", "Answered", answer=Answer("q", "a", answered=True, trace=TRACE))
    Trace(REQUEST, (done,)).save(tmp_path / "trace")
    assert Trace.load(tmp_path / "trace").steps == (DeepSearchStep("done", "Answered"),)


async def test_checkpoint_and_trace_are_the_same_form(tmp_path: Path) -> None:
    async def do() -> list[float]:
        return [0.5]

    path = tmp_path / "trace"
    journal = Journal(REQUEST, path=path)
    await journal.call("similarity", ["a"], do, list[float])
    journal.close()
    trace = Trace.load(path)
    assert (trace.request, trace.calls) == (REQUEST, journal.calls)
    Trace(REQUEST, STEPS, journal.calls).save(path)
    resumed = Journal(REQUEST, path=path)
    assert await resumed.call("similarity", ["a"], lambda: pytest.fail("made again"), list[float]) == [0.5]
    await resumed.call("similarity", ["b"], do, list[float])
    resumed.close()
    assert (len(Trace.load(path).calls), Trace.load(path).steps) == (2, STEPS)


def test_says_where_a_file_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none.*cannot be written"):
        TRACE.save(tmp_path / "none" / "trace")
    with pytest.raises(TraceError, match="cannot be written"):
        TRACE.save(tmp_path)
    with pytest.raises(ReadError, match="none") as caught:
        Trace.load(tmp_path / "none")
    assert caught.value.source == str(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "no trace"),
        (b"no json\n", "no trace"),
        (b'{"a": 1}\n', "neither a trace"),
        (b'{"format": "jina-components deep search", "version": 99, "request": 1}\n', "version"),
        (b"HEAD{}\n", "line 2"),
        (b'HEAD{"call": 5}\n', "line 2"),
        (b'HEAD{"call": {"kind": 5, "request": 1}}\n', "line 2"),
        (b'HEAD{"step": {"kind": "fly", "text": ""}}\n', "line 2"),
        (b"HEAD\xff\n", "line 2"),
        (b"HEAD" + b"[" * 100_000 + b"\n", "line 2"),
    ],
)
def test_refuses_files_that_are_none(line: bytes, message: str, tmp_path: Path) -> None:
    head = json.dumps({"format": "jina-components deep search", "version": 1, "request": {}}).encode() + b"\n"
    (tmp_path / "file").write_bytes(line.replace(b"HEAD", head))
    with pytest.raises(ReadError, match=message):
        Trace.load(tmp_path / "file")


def test_draws_members_kinds_and_steps() -> None:
    drawn = Tags(TRACE._repr_html_())
    for word in ("agent 1", "main", "search", "read", "2 queries", "größe", "https://a.example", "1 failed", "no"):
        assert word in drawn.text
    assert "svg" in drawn.tags
    assert not {"script", "iframe", "img", "link", "style", "object"} & set(drawn.tags)


def hostile_trace(text: str, url: str) -> Trace:
    step: dict[str, Any] = {"question": text, "queries": (text,), "urls": (url,), "member": text}
    call = TracedCall(text, {"url": url, text: text}, error=(text, text), member=text, seconds=5)
    return Trace(text, (DeepSearchStep("think", text * 10, **step),), (call, TracedCall("chat", text, seconds=1)))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", f"https://a/{HOSTILE}"]
)
def test_no_word_of_a_trace_is_html(url: str) -> None:
    drawn = Tags(hostile_trace(HOSTILE, url)._repr_html_())
    assert "script" not in drawn.tags
    assert all(not name.startswith("on") for name, _ in drawn.attributes)
    assert all(value.startswith("https://a/") for name, value in drawn.attributes if name == "href")


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=400), st.floats(), st.floats(min_value=0))
def test_draws_whatever_it_holds(text: str, at: float, seconds: float) -> None:
    calls = tuple(TracedCall("read", text, at=at, seconds=seconds) for _ in range(3))
    steps = (DeepSearchStep("search", text, at=at, queries=(text,), tokens=len(text)),)
    drawn = Tags(Trace({}, steps, calls)._repr_html_())
    places = [
        float(value)
        for name, value in drawn.attributes
        if name in ("x", "y", "width", "height", "cx") and value != "100%"
    ]
    assert all(math.isfinite(place) and -1 <= place <= 1100 for place in places)


@pytest.mark.parametrize(
    "trace", [Trace({}), Trace({}, STEPS), Trace({}, (), CALLS), Trace({}, (DeepSearchStep("done", "x"),) * 300)]
)
def test_draws_traces_of_any_length(trace: Trace) -> None:
    Tags(trace._repr_html_())
