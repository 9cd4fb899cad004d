"""Random small pages, their Markdown rendered again: the same words, structure and links, and no more marks."""

from __future__ import annotations

import html
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml.html import HtmlElement, document_fromstring
from markdown_it import MarkdownIt

from jina_components.read_options import PLAIN, MarkdownStyle, ReadOptions
from jina_components.reader.markdown import to_markdown

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
BASE = "http://h/"
STYLES = {"b": "strong", "strong": "strong", "i": "em", "em": "em", "s": "s", "del": "s", "code": "code"}

words = st.text(alphabet='ab1 *_`[]()<>&#!~\\|-+.:="中。“”', min_size=1, max_size=8).map(html.escape)
codes = st.text(alphabet="ab `*\\|<", min_size=1, max_size=6).map(html.escape)
inlines = st.recursive(
    words | codes.map("<code>{}</code>".format) | st.just("<br>") | st.just(" "),
    lambda inner: (
        st.builds(
            "<{0}>{1}</{0}>".format,
            st.sampled_from(("b", "i", "del", "em", "span")),
            st.lists(inner, max_size=3).map("".join),
        )
        | st.builds("<a href='{}'>{}</a>".format, st.sampled_from(("x", "/y(z", "//o/p?q=1")), words)
    ),
    max_leaves=6,
)
lines = st.lists(inlines, min_size=1, max_size=5).map("".join)
preformatted = st.text(alphabet="ab `~\n*<&", min_size=1, max_size=12).map(html.escape)
tables = st.lists(st.tuples(lines, lines), min_size=2, max_size=3).map(
    lambda rows: "<table>" + "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in rows) + "</table>"
)
blocks = st.recursive(
    st.builds("<{0}>{1}</{0}>".format, st.sampled_from(("p", "p", "h1", "h3")), lines)
    | preformatted.map("<pre>x{}</pre>".format)
    | tables
    | st.just("<hr>"),
    lambda inner: (
        st.builds(
            "<{0}>{1}</{0}>".format,
            st.sampled_from(("ul", "ol", "ol start=7")),
            st.lists(
                st.lists(lines.map("<p>{}</p>".format) | lines | inner, max_size=3).map("".join), min_size=1, max_size=3
            ).map(lambda items: "".join(f"<li>{item}</li>" for item in items)),
        ).map(lambda text: text.replace("</ol start=7>", "</ol>"))
        | st.lists(inner, min_size=1, max_size=3).map("".join).map("<blockquote>{}</blockquote>".format)
    ),
    max_leaves=6,
)
pages = st.lists(blocks, min_size=1, max_size=4).map("".join)


def parsed(text: str) -> HtmlElement:
    return document_fromstring(f"<html><body>{text}</body></html>").find("body")


def rendered(text: str, style: MarkdownStyle | None = None) -> HtmlElement:
    options = ReadOptions(style=style or MarkdownStyle())
    return parsed(COMMONMARK.render(to_markdown(parsed(text), options, BASE).text))


def text_of(tree: HtmlElement) -> str:
    """All characters but white space."""
    return "".join("".join(tree.itertext()).split())


def styled(tree: HtmlElement) -> Iterator[tuple[str, frozenset[str]]]:
    """Each character but white space, with the emphasis it is in."""

    def walk(element: HtmlElement, styles: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        if element.tag == "pre":
            styles |= {"code"}
        inside = styles | {STYLES[element.tag]} if element.tag in STYLES else styles
        yield from ((char, inside) for char in "".join((element.text or "").split()))
        for child in element:
            yield from walk(child, inside)
            yield from ((char, inside) for char in "".join((child.tail or "").split()))

    yield from walk(tree, frozenset())


def lists(tree: HtmlElement) -> list[tuple[str, object]]:
    """Lists that hold words, and the lists in each of their items, as they are nested."""
    found: list[tuple[str, object]] = []
    for child in tree:
        if child.tag in ("ul", "ol"):
            if text_of(child):
                items = [lists(item) for item in child if text_of(item)]
                found.append((child.tag, items))
        else:
            found += lists(child)
    return found


@settings(max_examples=100, deadline=None)
@given(pages)
def test_words_and_structure_survive(page: str) -> None:
    source, result = parsed(page), rendered(page)
    assert text_of(result) == text_of(source)
    assert [found.text_content().rstrip("\n") for found in result.iter("pre")] == [
        "\n".join(found.text_content().rstrip().split("\n")) for found in source.iter("pre")
    ]
    assert lists(result) == lists(source)
    gained = [
        (char, marks, had)
        for (char, marks), (_, had) in zip(styled(result), styled(source), strict=True)
        if marks - had
    ]
    assert not gained


@settings(max_examples=60, deadline=None)
@given(pages)
def test_links_lead_where_they_led(page: str) -> None:
    def targets(tree: HtmlElement) -> list[tuple[str, str]]:
        return [(text_of(link), link.get("href").rpartition("/")[2]) for link in tree.iter("a") if text_of(link)]

    assert targets(rendered(page)) == targets(parsed(page))


@settings(max_examples=60, deadline=None)
@given(pages)
def test_plain_text_stands_verbatim(page: str) -> None:
    source = parsed(page)
    text = " ".join(to_markdown(source, ReadOptions(style=PLAIN, links="text"), BASE).text.split())
    for paragraph in source.iter("p"):
        for line in "".join(f"{part}" for part in [paragraph.text or ""]).split("\n"):
            assert " ".join(line.split()) in text
