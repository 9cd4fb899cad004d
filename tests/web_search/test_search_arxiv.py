import asyncio
import re

import pytest

from jina_components.errors import FetchTimeoutError, WebError
from jina_components.search_options import SearchOptions
from jina_components.testing import check_search_provider
from jina_components.types import Page
from jina_components.web_search import ArxivSearch

ENTRY = """
  <entry>
    <id>http://arxiv.org/abs/2501.01234v2</id>
    <updated>2025-01-03T00:00:00Z</updated>
    <published>2025-01-02T03:04:05Z</published>
    <title>Rain &amp; clouds:
      a survey</title>
    <summary>  We count &lt;drops&gt;.
    </summary>
    {authors}
    <link href="http://arxiv.org/abs/2501.01234v2" rel="alternate" type="text/html"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="physics.ao-ph"/>
  </entry>"""
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: …</title>
  <id>http://arxiv.org/api/abc</id>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1</opensearch:totalResults>
  {entries}
</feed>"""
AUTHORS = "".join(f"<author><name>Author {name}</name></author>" for name in "ABCD")
ONE = FEED.format(entries=ENTRY.format(authors=AUTHORS)).encode()


def ask(api, query="rain", **options):
    return asyncio.run(ArxivSearch(base_url=f"{api.url}/api").search(query, SearchOptions(**options)))


def written(api, query, **options):
    ask(api, query, **options)
    return api.asked[-1].param("search_query")


def test_results(api):
    api.answer("/api/query", ONE, content_type="application/atom+xml")
    (found,) = ask(api, count=5, page=3)
    assert (found.url, found.title) == ("https://arxiv.org/abs/2501.01234v2", "Rain & clouds: a survey")
    assert (found.description, found.published_time) == ("We count <drops>.", "2025-01-02T03:04:05Z")
    assert found.source == "Author A, Author B, Author C et al."
    assert found.page == Page(
        found.url, found.title, "We count <drops>.", published_time="2025-01-02T03:04:05Z",
        links=(("PDF: Rain & clouds: a survey", "https://arxiv.org/pdf/2501.01234v2"),),
    )  # fmt: skip
    (asked,) = api.asked
    assert asked.params == {
        "search_query": ["all:rain"], "start": ["10"], "max_results": ["5"], "sortBy": ["relevance"],
    }  # fmt: skip


def test_no_results(api):
    api.answer("/api/query", FEED.format(entries="").encode())
    assert ask(api) == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("graph neural networks", "all:graph AND all:neural AND all:networks"),
        ("What is the attention mechanism?", "all:attention AND all:mechanism"),
        ("how is it", "all:how AND all:is AND all:it"),
        ('"attention is" gpt-4', 'all:"attention is" AND all:gpt-4'),
        ('"a) OR (b" "" AND "?" not "', 'all:"a OR b" AND all:not'),
        ("ti:attention AND au:vaswani", "(ti:attention AND au:vaswani)"),
    ],
)
def test_queries(api, query, wanted):
    api.answer("/api/query", ONE)
    assert written(api, query) == wanted


def test_a_query_without_words_finds_nothing(api):
    assert ask(api, "?! ()") == []
    assert api.asked == []


def test_titles_and_times(api):
    api.answer("/api/query", ONE)
    query = written(api, "rain", in_title=("heavy rain", "snow) OR (all:x"), time_range="week")
    match = re.fullmatch(
        r'all:rain AND \(ti:"heavy rain" OR ti:"snow OR all x"\) AND submittedDate:\[(\d{12}) TO (\d{12})\]', query
    )
    assert match
    assert match[1] < match[2]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><p>", "Atom feed"),
        (b"", "Atom feed"),
        (b"\xff\xfe<\0a\0>\0", "Atom feed"),
        (b'<!DOCTYPE feed [<!ENTITY a "aa">]><feed>&a;</feed>', "declares a document type"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE feed SYSTEM "http://127.0.0.1/x"><feed/>', "declares a document type"),
        (b'<?xml version="1.0" encoding="UTF-16"?><feed>&a;</feed>', "Atom feed"),
        (
            FEED.format(
                entries="<entry><id>http://arxiv.org/api/errors#x</id><summary>bad id</summary></entry>"
            ).encode(),
            "refuses the query: bad id",
        ),
    ],
)
def test_what_is_no_feed(api, body, message):
    api.answer("/api/query", body)
    with pytest.raises(WebError, match=message):
        ask(api)
    assert len(api.asked) == 1


def test_a_late_answer(api):
    api.answer("/api/query", ONE, delay=2.0)
    with pytest.raises(FetchTimeoutError):
        asyncio.run(ArxivSearch(base_url=f"{api.url}/api", timeout=0.2).search("rain", SearchOptions()))


def test_deep_nesting_is_read_or_refused(api):
    api.answer("/api/query", b"<a>" * 100_000 + b"</a>" * 100_000)
    assert ask(api) == []


def test_the_contract(api):
    api.answer("/api/query", ONE)
    with ArxivSearch(base_url=f"{api.url}/api") as provider:
        check_search_provider(provider, query="rain")


def test_a_title_without_words_is_no_condition(api):
    api.answer("/query", FEED.format(entries="").encode())
    provider = ArxivSearch(base_url=api.url)
    asyncio.run(provider.search("rain", SearchOptions(in_title=("!!!", "clouds"))))
    assert api.asked[-1].param("search_query") == 'all:rain AND (ti:"clouds")'
