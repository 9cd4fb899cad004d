from __future__ import annotations

import pytest
from lxml.etree import fromstring

from jina_components.reader.markdown import to_markdown


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ("<p>one\n two</p><p>three</p>", "one two\n\nthree"),
        (
            "<p>a <hi rend='#b'>bold</hi> move, <del>not</del> <ref target='u'>here</ref>.</p>",
            "a bold move, not here.",
        ),
        ("<p>line<lb/>break <lb/> again</p>", "line\nbreak\nagain"),
        ("loose <p>block</p> tail", "loose\n\nblock\n\ntail"),
        ("<head rend='h3'>A <hi>title</hi>\nhere</head>", "### A title here"),
        ("<head> </head><p> </p>", ""),
        ("<list rend='ul'><item>a</item><item>b</item></list>", "- a\n- b"),
        ("<list rend='ol'><item>a</item><item><p>b</p><p>c</p></item></list>", "1. a\n2. b\n   c"),
        (
            "<list rend='ul'><item>a<list rend='ol'><item>b</item></list></item><item/></list>",
            "- a\n  1. b",
        ),
        ("<quote><p>a</p><p>b<lb/>c</p></quote>", "> a\n>\n> b\n> c"),
        ("<p>use <code>a_b*c</code> now</p>", "use `a_b*c` now"),
        ("<p><code>a`b`</code></p>", "`` a`b` ``"),
        ("<code>\n  if x:\n    y  \n</code>", "```\n  if x:\n    y\n```"),
        ("<code>a<lb/>```</code>", "````\na\n```\n````"),
        (
            "<table><row><cell>a</cell><cell>b</cell></row><row><cell>c|d<p>e</p></cell></row></table>",
            "| a | b |\n| --- | --- |\n| c\\|d e |  |",
        ),
        ("<table><row><cell>only</cell></row><row><cell>column</cell></row></table>", "only\n\ncolumn"),
        ("<p>a<graphic src='x'/>b</p>", "a\n\nb"),
    ],
)
def test_blocks(tree: str, expected: str) -> None:
    assert to_markdown(fromstring(f"<body>{tree}</body>")) == expected


def test_nothing_is_escaped() -> None:
    text = "snake_case * [1] < 3 # no & `tick` 1. \\"
    element = fromstring("<body><p/></body>")
    element[0].text = text
    assert to_markdown(element) == text
