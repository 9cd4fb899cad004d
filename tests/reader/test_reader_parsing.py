from __future__ import annotations

import pytest
from lxml.html import tostring

from jina_components.reader.parsing import parse, parse_source
from jina_components.reader.sources import Source


@pytest.mark.parametrize(
    ("markup", "body"),
    [
        ("<title>T</title><nav>a</nav> b <main><p>c</p></main>d", "<nav>a</nav> b <main><p>c</p></main>d"),
        ("<head><title>T</title></head><main>c</main>", "<main>c</main>"),
        ("<title>T</title><nav>a</nav> b <p>c</p>", "<nav>a</nav> b <p>c</p>"),
        ("<head><meta name=a><section>a</section></head><body>x<p>c</p></body>", "<section>a</section>x<p>c</p>"),
        ("<p>c</p>", "<p>c</p>"),
        ("<frameset></frameset>", None),
    ],
)
def test_elements_unknown_to_html_4_come_into_the_body(markup: str, body: str | None) -> None:
    tree, warnings = parse(markup, Source("", b""))
    assert warnings == ()
    found = tree.find("body")
    assert found is not None
    if body is not None:
        assert tostring(found, encoding="unicode") == f"<body>{body}</body>"
    head = tree.find("head")
    assert head is None or {element.tag for element in head} <= {"title", "meta"}


def test_a_page_carries_what_it_was_decoded_by() -> None:
    parsed = parse_source(Source("", "<meta charset=latin1><p>é".encode("latin-1")))
    assert parsed.text.endswith("é")
    assert parsed.encoding in ("iso-8859-1", "cp1252", "windows-1252")


def test_references_to_control_characters_are_left_out_as_the_characters_are() -> None:
    tree, _ = parse("<p>a&#27;[31mb&#x1B;c&#0007;d &#270;&#x1bc;&#9;e&#127f</p>", Source("x.html", b""))
    assert tree.text_content().strip() == "a[31mbcd ĎƼ\tef"
