"""The URL that is read, from whatever a client wrote."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.service.errors import Problem
from jina_components.service.wire.urls import target_url, unquoted

OWN = "localhost:8080/r"


@pytest.mark.parametrize(
    ("wrote", "url"),
    [
        ("https://example.com/a?b=c&d", "https://example.com/a?b=c&d"),
        ("http://example.com", "http://example.com/"),
        ("example.com/a", "http://example.com/a"),
        ("//example.com/a", "http://example.com/a"),
        ("example.com:8000/a", "http://example.com:8000/a"),
        ("example.com:8000", "http://example.com:8000/"),
        ("https:/example.com/a", "https://example.com/a"),  # as servers on the way write it
        ("http://https://example.com/", "https://example.com/"),
        ("https://https:/example.com/", "https://example.com/"),
        ("http://localhost:8080/r/https://example.com/a", "https://example.com/a"),
        ("localhost:8080/r/localhost:8080/r/example.com", "http://example.com/"),
        ("HTTPS://Example.com/A", "https://Example.com/A"),
        ("https://user:secret@example.com/", "https://example.com/"),
        ("https://example.com/?utm_source=a&b=1&UTM_medium", "https://example.com/?b=1"),
        ("https://example.com/a.pdf#2", "https://example.com/a.pdf#2"),
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("https://example.com/a\r\nX-B: c", "https://example.com/a%0D%0AX-B:%20c"),
        ("https://bücher.example/ü", "https://bücher.example/ü"),
        ("https://b%C3%BCcher.example:81/%C3%BC", "https://bücher.example:81/%C3%BC"),
        ("https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("etc/passwd", "http://etc/passwd"),
        ("/etc/passwd", "http://etc/passwd"),
        ("example.com./a", "http://example.com./a"),
        ("https://example.com/a%2Fb?c=%26", "https://example.com/a%2Fb?c=%26"),
        (f"{quote('https://example.com/a?b=c%26', safe='')}", "https://example.com/a?b=c%26"),
        ("example.com%2Fa", "http://example.com/a"),
    ],
)
def test_what_is_read(wrote, url):
    assert target_url(unquoted(wrote), own=OWN) == url


@pytest.mark.parametrize(
    "wrote",
    [
        "file:///etc/passwd", "file:etc/passwd", "FILE:///etc/passwd", "ftp://example.com/", "data:text/html,x",
        "javascript:alert(1)", "blob:https://example.com/1", "about:blank", "view-source:https://example.com/",
        "http://", "https:///", "http://?a", "http://#a", "http://:80/", "http://example.com:0/", "http://a:99999999/",
        "http://[::1", "http://[zz]/", "http://a%00b/", "x" * 10_000, "http://localhost:8080/",
        "../../etc/passwd",
        "http://a..b/",
        f"http://{'a' * 64}.com/", "http://a%2Fb/", "http://a%40b/", "http://a%3A80/", "http://%31%2500/",
        "http://-ö-.example/", "http://xn--\u00e4.example/", "http://a\u3002\u3002b/",  # what IDNA refuses
        f"http://{'a.' * 130}com/",
        "http://localhost:8080/r/", "http://LOCALHOST:8080/v1/models",
    ],
)  # fmt: skip
def test_what_is_not(wrote):
    with pytest.raises(Problem) as caught:
        target_url(wrote, own=OWN)
    assert (caught.value.status, caught.value.fields["path"]) == (400, "url")
    assert len(caught.value.detail) < 1000


@given(st.text(max_size=60) | st.from_regex(r"(https?:/{0,3}|file:|//|[a-z%@:\[\]#?]){1,5}[a-z.:/@]{0,20}"))
def test_all_that_is_read_is_behind_http_and_stays_so(wrote):
    try:
        url = target_url(unquoted(wrote), own=OWN)
    except Problem:
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.netloc
    assert "@" not in parts.netloc
    assert target_url(url, own=OWN) == url
