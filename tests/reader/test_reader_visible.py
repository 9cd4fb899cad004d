from __future__ import annotations

import pytest
from lxml.html import document_fromstring

from jina_components.reader.visible import visible_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one\n two<p>three <b>bo</b>ld", "one two\n\nthree bold"),
        ("<div>a<br>b<div>c</div>d</div>", "a\nb\n\nc\n\nd"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\n\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<title>no</title><script>no</script><style>no</style>yes<noscript>no</noscript> tail", "yes tail"),
        (
            "<p hidden>no</p><p style='x:y; Display : none'>no</p><i style='visibility:hidden'>no</i>yes",
            "yes",
        ),
        ("a<pre>b\n  c</pre>\nd", "a\n\nb\nc\n\nd"),
        ("<nav>menu</nav><p> </p><p></p>", "menu"),
    ],
)
def test_paragraphs_of_what_is_visible(html: str, expected: str) -> None:
    assert visible_text(document_fromstring(html)) == expected
