"""What language models are shown of a page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.html_prompt import around_html, clean_html, written_schema
from jina_components.errors import InputError


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("a<script src='x'>if (a < b) {}</script >b<SCRIPT>c</Script>d", "abd"),
        ("a<style media=x>p > b {}</style>b", "ab"),
        ("a<!-- <p>x</p> --><b>y</b><!-- z -->", "a<b>y</b>"),
        ("<!-- <script> --><p>kept</p><script>x</script>", "<p>kept</p>"),
        ("<script>'<!--'</script><p>kept</p><!-- x -->", "<p>kept</p>"),
        ("<!--><p>kept</p><!-- x -->", "<!--><p>kept</p>"),
        ('<meta charset="x > y"><link rel=icon href=x/><p>a</p>', "<p>a</p>"),
        ("<svg viewBox='0 0 1 1'><path d='M0'/></svg>a", "a"),
        ('<img alt="Cat" src="data:image/png;base64,iVBORw0KGgo=">', '<img alt="Cat" src="#">'),
        ("<div style='background: url(data:image/svg+xml;charset=utf-8;base64,PHN2Zz4=)'>a", None),
        (
            "<metadata>a</metadata><scripted>b</scripted><linked/>",
            "<metadata>a</metadata><scripted>b</scripted><linked/>",
        ),
        ("a<script>b", "a<script>b"),
        ("a<svg/>b<svg>c</svg>d", "a<svg/>bd"),
        ("see data:image/png;base64 and data:text/plain,x", "see data:image/png;base64 and data:text/plain,x"),
    ],
)
def test_what_is_left_of_a_page(html, left):
    if left is None:
        assert clean_html(html) == "<div style='background: url(#)'>a"
    else:
        assert clean_html(html) == left


@pytest.mark.parametrize(
    "part",
    ["<script ", "<script>", "<!--", "</script", "<svg", "<svg>", "<meta '", '<meta "a', "<link ", "data:", "'data:a;",
     "<style></style", "<script></script", '="data:image/png;base64,', "<meta "],
)  # fmt: skip
def test_no_page_takes_long_to_clean(part):
    begun = time.process_time()
    clean_html(part * (1_000_000 // len(part)))
    clean_html("<script>" + part * (1_000_000 // len(part)))
    assert time.process_time() - begun < 5


@given(st.lists(st.sampled_from(["<script>", "</script>", "<!--", "-->", "<p>", "a", "<svg>", "</svg>", "<meta a>"])))
def test_cleaning_keeps_the_rest_in_order(parts):
    left = clean_html("".join(parts))
    rest = iter("".join(parts))
    assert all(character in rest for character in left)
    assert left.count("<meta") == 0


def test_what_stands_around_the_page():
    assert around_html("", None) == ("", "")
    assert around_html("Convert.", None) == ("Convert.\n```html\n", "\n```")
    assert around_html("Convert.", "{}")[1].endswith("```json\n{}\n```")
    with pytest.raises(InputError, match="schema needs an instruction"):
        around_html("", "{}")


def test_schemas_as_text():
    assert written_schema("as it is") == "as it is"
    assert written_schema({"type": "object"}) == '{\n  "type": "object"\n}'
    for odd, message in (
        (5, "must be str or a mapping"),
        ({"a": float("nan")}, "as JSON"),
        ({"a": object()}, "as JSON"),
    ):
        with pytest.raises(InputError, match=message):
            written_schema(odd)
