"""Answers are readable in a notebook, and nothing in them is run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_html import HOSTILE, Tags
from test_trace import hostile_trace

from jina_components.types import Answer, AnsweredSentence, Citation, Spent
from jina_components.types.markdown_html import MarkdownPage

CITATIONS = (
    Citation("The exact words", "https://a.example/x", 0, 15, "d1", title="Title A", published_time="2024-05-06"),
    Citation("Other words", "reports/file.pdf", 0, 11, "d2", page=17),
)


def written(text: str, marked: tuple[tuple[int, int], ...] = ()) -> str:
    return MarkdownPage(note=lambda number: f"<sup>{number}</sup>" if number < 9 else None, marked=marked).write(text)


def shown(answer: Answer) -> str:
    return answer._repr_html_()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One\ntwo\n\nthree", "<p dir='auto'>One<br>two</p><p dir='auto'>three</p>"),
        ("# Head #\nText", "<p dir='auto'><strong>Head</strong></p><p dir='auto'>Text</p>"),
        ("a **b *c* d** e", "<p dir='auto'>a <strong>b <em>c</em> d</strong> e</p>"),
        ("2 * 3 * 4, **open", "<p dir='auto'>2 * 3 * 4, **open</p>"),
        ("`a<b` **x", "<p dir='auto'><code>a&lt;b</code> **x</p>"),
        ("a[^1] b[^9]", "<p dir='auto'>a<sup>1</sup> b[^9]</p>"),
        (
            "```py\n<b>*x*\n```\nb",
            "<pre style='white-space:pre-wrap'><code>&lt;b&gt;*x*</code></pre><p dir='auto'>b</p>",
        ),
        ("| a | b |\n|---|---|\n| 1 | 2 |", None),
        ("> q", "<blockquote dir='auto'>q</blockquote>"),
        ("", ""),
    ],
)
def test_markdown(text: str, html: str | None) -> None:
    found = written(text)
    Tags(found)
    assert found == html or (html is None and found.count("<td") == found.count("<th") == 2)


def test_lists_keep_their_items_and_lines() -> None:
    found = Tags(written("- a\n  more\n- b\n\n1. c\n2) d"))
    assert found.tags == ["ul", "li", "br", "li", "ol", "li", "li"]
    assert found.text == "amorebcd"


def test_unverified_sentences_are_underlined_across_marks() -> None:
    text = "- Sure.[^1] **Not\nsure** at `all`. [unverified]\n- Sure again."
    start, end = text.index("**Not"), text.index("[unverified]")
    found = written(text, ((start, end),))
    Tags(found)
    assert found.count("<span") == 3
    assert "sure</span></strong>" in found
    assert "Sure again.</li>" in found


@pytest.mark.parametrize(
    "text", ["a `b` c\nd", "a\n```\nb\n```\nd", "|a|b|\n|---|---|\n|c|c|\n\nd", "[a](https://b.c) d"]
)
def test_what_follows_an_unverified_sentence_is_not_underlined(text: str) -> None:
    for end in range(1, text.index("d")):
        assert "d</span>" not in written(text, ((0, end),))


def test_answer_shows_quotes_reasons_and_cost() -> None:
    text = "It is so.[^1] And so.[^2] Perhaps. [unverified]"
    answer = Answer(
        "Is it so?", text, answered=True, citations=CITATIONS, ended="tokens",
        sentences=(AnsweredSentence(0, 13, True, (1,)), AnsweredSentence(26, len(text), False)),
        read_urls=("https://a.example/x",), num_urls=7, spent=Spent(1234, 5, 6.78, 0.05),
        warnings=("One source failed",),
    )  # fmt: skip
    drawn = Tags(shown(answer))
    for words in (
        "Is it so?", "“The exact words”", "Title A", "2024-05-06", "page 17", "budget of tokens", "1,234 tokens",
        "5 steps", "6.8 s", "0.05", "One source failed", "7 sources known, 1 read",
    ):  # fmt: skip
        assert words in drawn.text
    links = [value for name, value in drawn.attributes if name == "href"]
    ids = [value for name, value in drawn.attributes if name == "id"]
    assert [f"#{each}" for each in ids] == links[:2]
    assert set(links[2:]) == {"https://a.example/x"}
    assert ("title", "No source that was found shows this.") in drawn.attributes


def test_answer_of_a_schema_is_json() -> None:
    found = shown(Answer("q", '{"a": "**<b>**"}', answered=True, value={"a": "**<b>**"}))
    assert "{&quot;a&quot;: &quot;**&lt;b&gt;**&quot;}" in found


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JavaScript:alert(1)//https://", "data:text/html,x", f"https://a/{HOSTILE}"]
)
def test_no_word_of_an_answer_is_html(url: str) -> None:
    text = (
        f"{HOSTILE} [x]({url}) <{url}> ![i]({url}) [^1] | {HOSTILE}\n# {HOSTILE}\n- {HOSTILE}\n```{HOSTILE}\n{HOSTILE}"
    )
    citation = Citation(HOSTILE, url, 0, 1, HOSTILE, title=HOSTILE, published_time=HOSTILE)
    answer = Answer(
        HOSTILE, text, answered=True, citations=(citation,),
        sentences=(AnsweredSentence(3, len(text), False),), read_urls=(url,), warnings=(HOSTILE,),
        trace=hostile_trace(HOSTILE, url),
    )  # fmt: skip
    drawn = Tags(shown(answer))
    assert not {"script", "img"} & set(drawn.tags)
    assert all(not name.startswith("on") for name, _ in drawn.attributes)
    links = [value for name, value in drawn.attributes if name == "href"]
    assert all(value.startswith(("#answer-", "https://a/")) for value in links)
    shown(answer).encode()


PIECES = (
    "**", "*", "`", "[^1]", "[^2]", "\n", "- ", "1. ", "# ", "> ", "| ", "\n```\n", "```", "word ", "<b>", "\ue000",
    " ", "[unverified]", "[a](https://b.example)", "é",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_text_is_written_whole(data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=30)))
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4, unique=True)))
    marked = tuple(zip(ends[::2], ends[1::2], strict=False))
    found = written(text, marked)
    assert "\ue000" not in found
    assert "\ue001" not in found
    drawn = Tags(found)
    if not re.search("```[wé]", text):  # which names a language
        assert drawn.text.count("word") == text.count("word")
        assert drawn.text.count("é") == text.count("é")
