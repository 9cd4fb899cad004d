"""Pages and answers as HTML: nothing of others runs, loads or leads astray."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html as lxml_html

from jina_components.service.playground.conversation import Turn, kept, messages, read, said
from jina_components.service.playground.markdown import MAX_DRAWN, drawn
from jina_components.service.playground.tabs import grounding, reader, search

TAGS = {
    "div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "a", "em", "strong", "s", "code", "pre", "ul", "ol", "li", "hr",
    "br", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "span", "sup", "q", "bdi", "small", "details",
    "summary", "figure", "figcaption", "mark", "b", "img",
}  # fmt: skip
ATTRIBUTES = {
    "class", "dir", "href", "target", "rel", "start", "style", "title", "role", "src", "alt",
    "aria-label", "aria-valuemin", "aria-valuemax", "aria-valuenow",
}  # fmt: skip
STYLES = {"", "text-align:left", "text-align:center", "text-align:right"}
PNG = "data:image/png;base64,iVBORw0KGgo="

EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt&colon;alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![pixel](https://evil.example/pixel.png)",
    "![pixel](//evil.example/pixel.png \"t\\\" onload=alert(1)\")",
    "[![a](https://evil.example/a.png)](javascript:alert(1))",
    "<https://evil.example/\"onclick=alert(1)>",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    "```\"><script>\n</code></pre><script>alert(1)</script>\n```",
    "| <script> |\n|:--:|\n| <iframe src=javascript:alert(1)> |",
    "&lt;script&gt; &#x6a;avascript: <!-- --> <![CDATA[ ]]> <?php ?>",
    "${alert(1)} {{constructor}} @children",
    "[^1] [^2] [^99999999] \ud800 \x00",
)  # fmt: skip


def checked(html: str) -> lxml_html.HtmlElement:
    """The HTML as browsers parse it, which holds nothing but our own markup."""
    tree = lxml_html.fragment_fromstring(html, create_parent="main")
    for element in tree.iterdescendants():
        assert element.tag in TAGS, element.tag
        assert set(element.attrib) <= ATTRIBUTES, element.attrib
        style = element.get("style", "")
        assert style in STYLES or style.startswith("inline-size:"), style
        if element.tag == "a":
            assert element.get("href", "").lower().startswith(("http://", "https://"))
            assert (element.get("target"), element.get("rel")) == ("_blank", "noopener noreferrer nofollow")
        if "src" in element.attrib:
            assert element.get("src").startswith("data:image/png;base64,")
    return tree


@given(st.lists(st.sampled_from(EVIL) | st.text(max_size=40), max_size=6).map("".join))
@example("\n\n".join(EVIL))
def test_markdown_is_text_and_its_form(markdown: str) -> None:
    checked(drawn(markdown, lambda number: f"<sup>{number}</sup>" if number < 3 else ""))


def test_what_markdown_says_is_drawn() -> None:
    tree = checked(
        drawn(
            "# Head\n\nA *b* [c](https://c.example/?a=1&b=2) ![d](https://d.example/e.png)\n\n"
            "| x | y |\n|---|--:|\n| 1 | ~~2~~ |\n\n1. one\n   - two\n\n```py\nif a < b:\n```\n"
        )
    )
    assert tree.findtext(".//h1") == "Head"
    assert [(a.text, a.get("href")) for a in tree.iter("a")] == [
        ("c", "https://c.example/?a=1&b=2"),
        ("d", "https://d.example/e.png"),
    ]
    assert tree.findtext(".//td/s") == "2"
    assert tree.findtext(".//ol/li/ul/li") == "two"
    assert tree.findtext(".//pre/code") == "if a < b:\n"
    assert tree.find(".//img") is None


def test_an_image_within_a_link_is_its_words() -> None:
    [link] = checked(
        drawn("[![Logo](https://a.example/l.png)](https://b.example/) and ![](https://c.example/x)")
    ).xpath(".//a[contains(@href, 'b.example')]")
    assert link.text_content() == "Logo"
    assert link.find(".//a") is None


def test_marks_are_notes_but_in_code() -> None:
    html = drawn("A[^1] b[^7] `c[^1]`", lambda number: f"<sup>{number}</sup>" if number == 1 else "")
    assert html.count("<sup>1</sup>") == 1
    assert "b[^7]" in html
    assert "<code>c[^1]</code>" in html
    assert "[^1]" in drawn("A[^1]")


def test_a_long_markdown_is_cut() -> None:
    html = drawn("word " * MAX_DRAWN)
    assert len(html) < 2 * MAX_DRAWN
    assert f"{4 * MAX_DRAWN:,} more characters" in html


@pytest.mark.parametrize("evil", EVIL)
def test_pages_cannot_say_more_than_text(evil: str) -> None:
    data = {
        "title": evil, "url": evil, "content": evil, "warning": evil, "publishedTime": evil, "usage": {"tokens": 1},
        "links": {evil: evil, "b": f"https://b.example/{evil}"}, "images": {evil: evil},
    }  # fmt: skip
    for more in ({}, {"content": "", "text": evil}, {"content": "", "html": evil}, {"screenshotUrl": PNG}):
        about, shown, _ = reader.draw(data | more)
        checked(about)
        tree = checked(shown)
        if "text" in more and "\x00" not in evil:
            assert evil in tree.text_content()
    assert 'src="' not in reader.draw(data | {"screenshotUrl": evil})[1]


@pytest.mark.parametrize("evil", EVIL)
def test_results_and_verdicts_cannot_say_more_than_text(evil: str) -> None:
    item = {"title": evil, "url": evil, "description": evil, "content": evil, "date": evil, "warning": evil}
    checked(search.draw([item | {"usage": {"tokens": 7}}], {}))
    steps = [{"stage": evil, "text": evil, "urls": [evil, f"http://a.example/{evil}"]}]
    references = [{"url": evil, "keyQuote": evil, "isSupportive": True}]
    checked(
        grounding.draw(
            {"factuality": 0.5, "result": False, "verdict": "refuted", "reason": evil, "references": references,
             "warning": evil, "usage": {"tokens": 7}}, steps,
        )
    )  # fmt: skip


@pytest.mark.parametrize("evil", EVIL)
def test_conversations_cannot_say_more_than_text(evil: str) -> None:
    turn = Turn(evil)
    for delta in ({"content": "", "query": evil}, {"content": "", "url": evil}, {"content": evil}):
        turn.take(chunk({"type": "think", **delta}))
    cited = {"title": evil, "exactQuote": evil, "url": evil, "dateTime": ""}
    thinking = messages([turn])
    turn.take(
        chunk(
            {"type": "text", "content": f"{evil}[^1]", "annotations": [{"url_citation": cited}]}, "stop",
            readURLs=[evil], numURLs=1,
        )
    )  # fmt: skip
    failed = Turn(evil)
    failed.fail(evil)
    for message in [*thinking, *messages([turn, failed])]:
        assert "\n" not in message["content"]  # else Markdown in it would count
        assert message["content"].startswith("<div")
        checked(message["content"])
        assert evil not in str(message.get("metadata", ""))


def chunk(delta: dict, ended: str | None = None, **more: object) -> dict:
    return {"choices": [{"delta": delta, "finish_reason": ended}], **more}


def test_a_conversation_is_kept_and_told_on() -> None:
    answered, failed, stopped = Turn("One?"), Turn("Two?"), Turn("Three?")
    assert answered.take(chunk({"type": "text", "content": "Yes.[^1]", "annotations": None}, "stop"))
    failed.take(chunk({"type": "error", "content": "Error: none."}, "error"))
    stopped.stop()
    turns = [answered, failed, stopped]
    assert [turn.state for turn in turns] == ["answered", "failed", "stopped"]
    assert said(turns) == [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Yes.[^1]"}]
    assert read(kept(turns)) == turns
    assert read("") == []
    with pytest.raises(ValueError, match="valid"):
        read("[{]")


def test_thoughts_are_gathered_into_steps() -> None:
    turn = Turn("?")
    deltas = (
        ("<think>", {}), ("Looking ", {}), ("around.\n", {}), ("", {"query": "a"}), ("", {"query": "b"}),
        ("Searching for: a; ", {}), ("b\n", {}), ("", {"url": "https://a.example/"}), ("Reading: a\n", {}),
        ("</think>\n\n", {}),
    )  # fmt: skip
    shown = [turn.take(chunk({"type": "think", "content": words, **more})) for words, more in deltas]
    assert shown == [False, False, True, True, True, False, True, True, True, False]
    assert [(step.text, step.queries, step.urls) for step in turn.steps] == [
        ("Looking around.\n", [], []),
        ("Searching for: a; b\n", ["a", "b"], []),
        ("Reading: a\n", [], ["https://a.example/"]),
    ]
    [_, thought] = messages([turn])
    assert thought["metadata"]["status"] == "pending"
    assert thought["metadata"]["log"].startswith("· searches: 2, pages: 1")
