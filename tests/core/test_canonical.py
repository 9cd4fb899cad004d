import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jina_components.core.canonical import canonical_url, is_within, site_of


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("HTTP://WWW.Example.COM:80/a/", "https://example.com/a"),
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com./a//", "https://example.com/a"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("http://example.com:443/", "https://example.com:443"),
        ("https://example.com/?b=2&a=1&&", "https://example.com?a=1&b=2"),
        ("https://example.com/?utm_source=x&a=1&GCLID=3&fbclid=4", "https://example.com?a=1"),
        ("https://example.com/a;jsessionid=0A?PHPSESSID=1", "https://example.com/a"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/a#:~:text=word", "https://example.com/a"),
        ("https://example.com/#/users/3", "https://example.com#/users/3"),
        ("https://example.com/#!/users", "https://example.com#!/users"),
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/%7euser/%e2%82%ac", "https://example.com/~user/%E2%82%AC"),
        ("https://example.com/€ uro", "https://example.com/%E2%82%AC%20uro"),
        ("https://example.com/?q=a+b", "https://example.com?q=a+b"),
        ("https://example.com/?q=a%2Bb", "https://example.com?q=a%2Bb"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
        ("https://straße.example/", "https://xn--strae-oqa.example"),
        ("https://ＷＷＷ．Bücher。example/", "https://xn--bcher-kva.example"),
        ("https://m.example.com/a", "https://example.com/a"),
        ("https://en.m.wikipedia.org/wiki/Rain", "https://en.wikipedia.org/wiki/Rain"),
        ("https://m.com/a", "https://m.com/a"),
        ("https://example.com/story/amp/", "https://example.com/story"),
        ("https://example.com/amp", "https://example.com/amp"),
        ("https://example.com/story?amp=1", "https://example.com/story"),
        ("https://example.com/story?outputType=amp", "https://example.com/story"),
        ("https://www.google.com/amp/s/www.example.com/story", "https://example.com/story"),
        ("https://example-com.cdn.ampproject.org/c/s/example.com/story", "https://example.com/story"),
        ("https://user:word@example.com/", "https://user:word@example.com"),
        ("https://[::1]:8080/a", "https://[::1]:8080/a"),
        ("  https://example.com/a\n", "https://example.com/a"),
        ("ftp://Example.com/A/", "ftp://Example.com/A/"),
        ("mailto:Someone@example.com", "mailto:Someone@example.com"),
        ("docs/manual.pdf", "docs/manual.pdf"),
        ("https://[broken", "https://[broken"),
        ("https://example.com:port/", "https://example.com:port/"),
        ("", ""),
    ],
)
def test_spellings(url, wanted):
    assert canonical_url(url) == wanted


def test_what_may_be_another_page_stays_apart():
    urls = [
        "https://example.com/a", "https://example.com/A", "https://example.com/a?ref=main", "https://example.com/a?id=1",
        "https://example.com/a?id=2", "https://docs.example.com/a", "https://example.com/a.html", "https://example.com//a",
        "https://example.com/a%2Fb", "https://example.com/a/b", "https://example.com:8443/a",
    ]  # fmt: skip
    assert len({canonical_url(url) for url in urls}) == len(urls)


PARTS = st.sampled_from(
    ["www.", "m.", "amp.", "example", ".com", ".", "..", "/", "//", "/amp", "/./", "/../", "?", "&", "=", "#", "#!",
     "#/", ";", "jsessionid=1", "utm_a=b", "amp=1", "a", "B", "é", "%", "%41", "%2f", "%2F", "%zz", "%25", " ", "\t",
     ":", ":80", "@", "google.com/amp/s/", "x.cdn.ampproject.org/c/s/", "[::1]", "[", "http://", "https://", "HTTPS://",
     "\ufeff", "ｗｗｗ."]
)  # fmt: skip


@given(
    st.one_of(
        st.text(), st.lists(PARTS, max_size=12).map("".join), st.lists(PARTS).map(lambda p: "https://" + "".join(p))
    )
)
@example("HTTP:// .")
@example("https://www.google.com//amp/s/a.b")
@example("https://m.google.com/amp/s/www.google.com/amp/s/a.b/c")
@example("https://example.com/%%4141")
@example("https://example.com/a;%6asessionid=1")
def test_the_spelling_is_stable(url):
    once = canonical_url(url)
    assert canonical_url(once) == once
    site_of(url)


WORD = st.text("abcdefghij", min_size=1, max_size=5)


@given(st.lists(WORD, max_size=4), st.dictionaries(WORD, WORD, max_size=4), st.randoms())
def test_what_does_not_matter_does_not_matter(path, query, random):
    plain = "https://example.com/" + "/".join(path) + "?" + "&".join(f"{a}={b}" for a, b in query.items())
    pairs = [*(f"{a}={b}" for a, b in query.items()), "utm_campaign=x", "gclid=7"]
    random.shuffle(pairs)
    other = "HTTP://www.EXAMPLE.com:80/" + "".join(f"{part}/" for part in path) + "?" + "&".join(pairs) + "#top"
    assert canonical_url(plain) == canonical_url(other)


@pytest.mark.parametrize(
    ("url", "sites", "wanted"),
    [
        ("https://www.example.com/a", ("example.com",), True),
        ("https://docs.example.com/a", ("example.com",), True),
        ("https://notexample.com/a", ("example.com",), False),
        ("https://example.com/docs/a", ("example.com/docs",), True),
        ("https://example.com/docs?a=1", ("example.com/docs",), True),
        ("https://example.com/docsearch", ("example.com/docs",), False),
        ("https://city.gov/a", ("gov",), True),
        ("https://a.org", ("example.com", "a.org"), True),
        ("https://a.org", (), False),
        ("https://straße.de/", ("strasse.de",), False),
        ("https://straße.de/", ("xn--strae-oqa.de",), True),
    ],
)
def test_within(url, sites, wanted):
    assert is_within(url, sites) is wanted


def test_long_hostile_urls_take_no_time():
    for piece in ("%41", ";jsessionid=", "../", "/amp", "&utm_", "www.", "m."):
        canonical_url("https://example.com/" + piece * 20_000)
        canonical_url("https://" + piece * 20_000)


def test_caches_of_caches_take_no_time():
    started = time.process_time()
    url = "https://google.com/amp/" + "google.com/amp/" * 5000 + "x.org/y"
    assert canonical_url(canonical_url(url)) == canonical_url(url)
    assert canonical_url("https://google.com/amp/google.com/amp/s/x.org/y") == "https://x.org/y"
    assert time.process_time() - started < 2
