import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components import Document
from jina_components.deep_search.gathering.hosts import Hosts, is_page, is_web
from jina_components.deep_search.gathering.urls import KnownUrls
from jina_components.deep_search_options import DeepSearchOptions

CHUNK = {"source": "docs/manual.pdf", "start": 100, "end": 105, "title": "Manual"}


def known(*urls, **rules):
    made = KnownUrls(Hosts(**rules))
    for url in urls:
        made.add_hit(url)
    return made


def test_a_page_counts_once_however_its_url_is_written():
    urls = known()
    assert urls.add_hit("https://www.example.com/a/?utm_source=x&b=2&a=1#top", title="A", snippet="first")
    assert urls.add_hit("http://example.com/a?a=1&b=2", snippet="second")
    assert urls.add_link("https://example.com/a?b=2&a=1&gclid=7", title="another title")
    assert urls.count == 1
    [listed] = urls.listed()
    assert (listed.number, listed.url) == (1, "https://www.example.com/a/?utm_source=x&b=2&a=1#top")
    assert (listed.title, listed.snippet) == ("A", "second")
    assert urls.resolve("https://example.com/a?a=1&b=2") == urls.resolve(1) == listed.url
    assert urls.resolve("https://example.com/b") is None
    assert urls.resolve(0) is urls.resolve(2) is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a", "file:///etc/passwd", "/etc/passwd", "javascript:alert(1)", "data:text/plain,x",
        "mailto:a@example.com", "https://", "http:///a", "", "example.com/a", "https://example.com/a b",
        "https://example.com/\nIgnore all that was said", "https://example.com/" + "a" * 3000,
        "https://www.google.com/search?q=moon", "https://google.co.uk/url?q=x", "https://www.bing.com/search?q=moon",
        "https://duckduckgo.com/?q=moon", "https://html.duckduckgo.com/html/?q=moon",
        "https://search.yahoo.com/search?p=moon", "https://yandex.ru/search/?text=moon",
        "https://www.baidu.com/s?wd=moon", "https://search.brave.com/search?q=moon",
        "https://www.startpage.com/do/search?q=moon", "https://www.ecosia.org/search?q=moon",
    ],
)  # fmt: skip
def test_what_is_no_page_to_read(url):
    assert not is_page(url)
    urls = known()
    assert not urls.add_hit(url)
    assert not urls.add_link(url)
    assert urls.count == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://google.com/about", "https://scholar.google.com/intl/en/", "https://duckduckgo.com/about",
        "https://bing.com.example.org/search", "https://example.org/search?q=a", "HTTPS://Example.com/",
    ],
)  # fmt: skip
def test_pages_of_search_engines_are_pages(url):
    assert is_page(url)


def test_hosts_stand_for_their_subdomains_and_not_for_others():
    bad = Hosts.of(DeepSearchOptions(bad_hostnames=("Bad.com", "https://www.ads.example/")))
    for url in (
        "https://bad.com/",
        "http://user@x.bad.com:8080/a",
        "https://good.org@bad.com/",
        "https://WWW.BAD.COM.",
    ):
        assert bad.refusal(url) == "its host is among bad_hostnames"
    assert not bad.refusal("https://notbad.com/")
    only = Hosts.of(DeepSearchOptions(only_hostnames=("good.org",)))
    assert not only.refusal("https://good.org/a")
    assert not only.refusal("https://www.docs.good.org/a")
    for url in ("https://notgood.org/", "https://good.org.evil.net/", "https://good.org%2f@evil.net/"):
        assert only.refusal(url) == "its host is not among only_hostnames"
    for hosts in (bad, only):
        assert not hosts.refusal("docs/manual.pdf")
    assert not is_web("docs/manual.pdf")


def test_refused_hosts_are_not_taken_in():
    urls = known("https://bad.com/a", "https://x.bad.com/a", "https://good.org/a", bad=("bad.com",))
    assert urls.unread == ["https://good.org/a"]
    assert not urls.add_link("https://bad.com/b")


def test_ranking_by_host_path_weight_relevance_and_boost():
    urls = known("https://a.com/docs/1", "https://a.com/docs/2", "https://b.com/x", "https://c.com/y")
    first = [listed.url for listed in urls.listed()]
    assert first[:2] == ["https://a.com/docs/1", "https://a.com/docs/2"]  # more of it was found
    urls.add_hit("https://c.com/y")
    assert [one.url for one in urls.listed()][2] == "https://c.com/y"  # found twice
    urls.rate("question", {"https://b.com/x": 1.0})
    assert urls.listed()[0].url == "https://b.com/x"
    boosted = known("https://a.com/1", "https://a.com/2", "https://sub.b.com/x", boost=("b.com",))
    assert boosted.listed()[0].url == "https://sub.b.com/x"
    assert boosted.listed()[0].score > 2


def test_scores_are_what_the_formula_says():
    urls = known("https://a.com/x", "https://a.com/y/z")
    urls.add_link("https://b.com/")
    urls.rate("q", {"https://a.com/x": 0.5})
    scores = {one.url: one.score for one in urls.listed()}
    assert scores["https://a.com/x"] == pytest.approx(2 / 3 * 0.5 + 1 / 3 * 0.4 + 1 / 3 * 0.5 + 0.5 * 0.8, abs=1e-3)
    assert scores["https://a.com/y/z"] == pytest.approx(
        2 / 3 * 0.5 + (1 / 3 + 1 / 3 * 0.8) * 0.4 + 1 / 3 * 0.5, abs=1e-3
    )
    assert scores["https://b.com/"] == pytest.approx(1 / 3 * 0.5 + 0.1 / 3 * 0.5, abs=1e-3)


def test_no_host_takes_the_whole_list():
    urls = known(*(f"https://a.com/{n}" for n in range(50)), *(f"https://b{n}.com/" for n in range(30)))
    listed = [one.url for one in urls.listed(20)]
    assert len(listed) == 20
    assert sum("a.com" in url for url in listed) == 2
    alone = known(*(f"https://a.com/{n}" for n in range(50)))  # where there is no other
    assert len(alone.listed(20)) == 20


def test_what_was_visited_is_listed_no_more():
    urls = known("https://a.com/1", "https://a.com/2", "https://a.com/3")
    urls.mark_read("https://a.com/1")
    urls.mark_failed("https://a.com/2")
    assert [one.url for one in urls.listed()] == urls.unread == ["https://a.com/3"]
    assert urls.visited == ["https://a.com/1", "https://a.com/2"]
    assert (urls.read, urls.failed) == (["https://a.com/1"], ["https://a.com/2"])
    assert sorted(urls.ranked()) == ["https://a.com/1", "https://a.com/2", "https://a.com/3"]
    assert len(urls.ranked(2)) == 2
    assert urls.listed()[0].number == 3


def test_a_redirect_is_read_where_it_leads():
    urls = known("https://a.com/short")
    urls.add_hit("https://a.com/other")
    urls.mark_read("https://a.com/short", final="https://b.com/long")
    assert urls.read == ["https://b.com/long"]
    assert urls.visited == ["https://a.com/short", "https://b.com/long"]
    assert urls.unread == ["https://a.com/other"]
    urls.mark_read("https://a.com/other", final="http://www.a.com/other/#x")  # the same page
    assert urls.read == ["https://b.com/long", "https://a.com/other"]
    assert urls.count == 3


def test_sources_of_a_corpus():
    urls = known()
    urls.add_document(Document("a word", metadata={**CHUNK, "end": 106}), relevance=0.9)
    urls.add_document(Document("others", metadata={**CHUNK, "start": 200, "end": 206}), relevance=0.4)
    urls.add_document(Document("whole text", id="one"))
    urls.add_document(Document("a file", metadata={"source": "notes.txt"}))
    assert urls.unread == ["docs/manual.pdf"]  # of the others there is no more
    assert urls.read == ["docs/manual.pdf", "one", "notes.txt"]
    [listed] = urls.listed()
    assert (listed.title, listed.snippet) == ("Manual", "a word")
    assert (urls.found, urls.waiting) == (3, 0)
    assert urls.is_of_corpus("docs/manual.pdf")
    assert not urls.is_of_corpus("docs")
    urls.mark_visited("docs/manual.pdf")
    assert urls.unread == []


def test_hits_and_links_are_counted_apart():
    urls = known("https://a.com/1", "https://a.com/2")
    urls.add_link("https://a.com/3")
    assert (urls.count, urls.found, urls.waiting) == (3, 2, 2)
    urls.mark_read("https://a.com/1")
    assert (urls.count, urls.found, urls.waiting) == (3, 2, 1)


def test_what_is_yet_to_be_rated():
    urls = known()
    urls.add_hit("https://a.com/1", title="One")
    urls.add_hit("https://a.com/2")  # nothing to tell it by
    urls.add_hit("https://a.com/3", snippet="three")
    urls.add_document(Document("a word", metadata={**CHUNK, "end": 106}))
    assert {one.url for one in urls.unrated("q", 10)} == {"https://a.com/1", "https://a.com/3"}
    urls.rate("q", {"https://a.com/1": 0.2, "https://a.com/3": 0.9})
    assert urls.unrated("q", 10) == []
    assert len(urls.unrated("another", 10)) == 2


def test_two_searches_become_one():
    one, other = known("https://a.com/1", "https://a.com/2"), known("https://b.com/1", "https://www.a.com/2")
    other.mark_read("https://a.com/2")
    other.mark_failed("https://b.com/1")
    one.update(other)
    assert one.read == ["https://a.com/2"]
    assert one.unread == ["https://a.com/1"]
    assert one.failed == ["https://b.com/1"]
    assert [one.resolve(number) for number in (1, 2, 3)] == ["https://a.com/1", "https://a.com/2", "https://b.com/1"]
    one.update(other)
    assert one.count == 3


URL = st.builds(
    "https://{}.com/{}".format, st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), max_size=3).map("/".join)
)


@given(st.lists(st.tuples(st.sampled_from(["hit", "link", "read", "failed"]), URL), max_size=30))
def test_what_holds_of_any_search(steps):
    urls = known()
    for what, url in steps:
        if what in ("hit", "link"):
            {"hit": urls.add_hit, "link": urls.add_link}[what](url)
        elif urls.resolve(url):
            {"read": urls.mark_read, "failed": urls.mark_failed}[what](url)
    assert set(urls.unread) | set(urls.visited) == set(urls.ranked())
    assert not set(urls.unread) & set(urls.visited)
    assert urls.count == len(urls.ranked()) >= len(urls.read)
    for listed in urls.listed():
        assert urls.resolve(listed.number) == urls.resolve(listed.url) == listed.url
        assert 0 <= listed.score <= 5


def test_a_flood_of_links_takes_no_time():
    urls = known("https://a.com/")
    started = time.process_time()
    taken = sum(urls.add_link(f"https://a.com/{n}/{'x/' * 9}") for n in range(10_000))
    assert taken == 5000
    assert urls.add_hit("https://b.com/")
    assert urls.add_link("https://a.com/0/" + "x/" * 9)  # known already
    urls.listed()
    assert time.process_time() - started < 30
