from __future__ import annotations

import pytest
from lxml.html import document_fromstring

from jina_components.reader.links import absolute_url, base_of


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<base href='/d/'>", "http://h/d/"),
        ("<base target='_top'><base href='https://other/'>", "https://other/"),
        ("<base href='mailto:x'>", "http://h/x"),
        ("", "http://h/x"),
    ],
)
def test_base(html: str, expected: str) -> None:
    assert base_of(document_fromstring(f"<html><head>{html}</head><p>x</html>"), "http://h/x") == expected


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("a.html", "http://h/d/a.html"),
        ("../up?q=1#here", "http://h/up?q=1#here"),
        ("//other/x", "http://other/x"),
        ("HTTPS://h/\n up", "HTTPS://h/up"),
        (" a b ", "http://h/d/a%20b"),
        ("#top", ""),
        ("mailto:x@y", ""),
        ("javascript:x()", ""),
        ("http://[", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_absolute(href: str | None, expected: str) -> None:
    assert absolute_url("http://h/d/", href) == expected


def test_relative_links_need_a_base() -> None:
    assert absolute_url("", "a.html") == ""
