"""RemoteSearch finds what a WebSearch finds: on our own server, and by what Jina's answers."""

from __future__ import annotations

import asyncio
import json

import pytest
from local_server import http

from jina_components import QUOTABLE, ReadOptions, SearchOptions
from jina_components.errors import ConfigError, HTTPStatusError, InputError, WebError
from jina_components.protocols import SupportsSearch
from jina_components.remote import Remote, RemoteReader, RemoteSearch

QUERY = "tides of the sea"


@pytest.fixture
def search(service):
    with RemoteSearch(Remote(service.url)) as search:
        yield search


def test_results_with_their_pages(service, search):
    results = search.search(QUERY)
    assert results[0].url == service.site.url("/tides")
    assert results[0].title == "Tides"
    assert results[0].page is not None
    assert "The moon pulls the water of the sea" in results[0].content
    assert results.query == QUERY
    assert results.usage.total_tokens > 0
    assert asyncio.run(search.asearch(QUERY)) == results
    assert isinstance(search, SupportsSearch)


def test_pages_as_they_are_read_by_themselves(service, search):
    options = SearchOptions(count=1, read_options=QUOTABLE)
    with RemoteReader(Remote(service.url), options=QUOTABLE) as reader:
        [result] = search.search(QUERY, options=options)
        assert result.content == reader.read(result.url).content


def test_results_alone(search):
    results = search.search(QUERY, options=SearchOptions(contents=False, count=2))
    assert len(results) == 2
    assert all(result.page is None and result.error is None for result in results)


def test_options_restrict(service, search):
    host = f"127.0.0.1:{service.site.port}"
    assert search.search(QUERY, options=SearchOptions(sites=("example.com",))).results == ()
    assert search.search(QUERY, options=SearchOptions(in_title=("Bread",), contents=False))
    assert host in search.search(QUERY, options=SearchOptions(country="us", language="en", location="Oslo"))[0].url


def test_options_of_the_constructor(service):
    with RemoteSearch(Remote(service.url), options=SearchOptions(contents=False, count=1), provider="reader") as search:
        [result] = search.search(QUERY)
        assert result.page is None
        assert len(search.search(QUERY, options=SearchOptions())) > 1


def test_nothing_to_seek(search):
    for query in ("", " ", None):
        with pytest.raises(InputError):
            search.search(query)


def test_whom_the_server_does_not_know(service):
    with (
        RemoteSearch(Remote(service.url), provider="altavista") as search,
        pytest.raises(InputError, match="altavista"),
    ):
        search.search(QUERY)


def test_what_a_server_cannot_be_told(search):
    wrong = SearchOptions(read_options=ReadOptions(max_tokens=3))
    with pytest.raises(ConfigError, match="max_tokens"):
        search.search(QUERY, options=wrong)
    with pytest.raises(ConfigError, match="max_tokens"):
        RemoteSearch(Remote(), options=wrong)


def test_what_a_server_ignores(service, search):
    results = search.search(QUERY, options=SearchOptions(safe="off", count=100, time_range="year"))
    assert results.warnings[0] == f"{service.url}/s ignores safe."
    assert not any(warning.startswith(service.url) for warning in results.warnings[1:])


def test_every_option_is_sent(server):
    server.routes["/s/"] = [_answer([])]
    options = SearchOptions(
        kind="news", count=3, page=2, country="de", language="de", location="Berlin", sites=("a.org", "b.org/docs"),
        file_types=("pdf",), in_title=("two words",), time_range="week", autocorrect=False, deadline=40,
        read_options=ReadOptions(engine="direct", locale="de"),
    )  # fmt: skip
    with RemoteSearch(Remote(server.url("")), provider="brave", fallback=True) as search:
        search.search(QUERY, options=options)
    sent = json.loads(server.received[0].body)
    assert sent.pop("markdown")["escape"] is True
    assert sent == {
        "q": QUERY, "type": "news", "count": 3, "page": 2, "gl": "DE", "hl": "de", "location": "Berlin",
        "site": ["a.org", "b.org/docs"], "filetype": ["pdf"], "intitle": ["two words"], "tbs": "qdr:w", "nfpr": True,
        "provider": "brave", "fallback": "true", "engine": "direct", "locale": "de", "base": "final", "timeout": 25.0,
        "withLinksSummary": "all", "withImagesSummary": True,
    }  # fmt: skip


DOCUMENTED = {
    "title": "Jina AI",
    "url": "https://jina.ai/",
    "description": "Best-in-class embeddings.",
    "content": "Jina AI was founded in 2020.",
    "date": "Feb 4, 2020",
    "source": "Jina",
    "siteLinks": [{"title": "Reader", "url": "https://jina.ai/reader"}],
    "imageUrl": "https://jina.ai/a.png", "imageWidth": 640, "imageHeight": 480,
    "links": {"Reader": "https://jina.ai/reader"},
    "usage": {"tokens": 10000},
}  # fmt: skip


def test_what_jina_answers(server):
    unread = {"title": "Slow", "url": "https://slow.example/", "description": "A snippet.", "content": ""}
    server.routes["/s/"] = [_answer([DOCUMENTED, unread, {**unread, "warning": "It timed out."}])]
    with RemoteSearch(Remote(server.url(""), api_key="s3cret")) as search:
        results = search.search(QUERY)
    first = results[0]
    assert (first.title, first.published_time, first.source) == ("Jina AI", "Feb 4, 2020", "Jina")
    assert (first.image_url, first.image_width, first.image_height) == ("https://jina.ai/a.png", 640, 480)
    assert first.site_links == (("Reader", "https://jina.ai/reader"),)
    assert first.page is not None
    assert first.page.links == (("Reader", "https://jina.ai/reader"),)
    assert first.content == "Jina AI was founded in 2020."
    assert results[1].page is None
    assert "in time" in str(results[1].error)
    assert str(results[2].error) == "It timed out."
    assert results.usage.total_tokens == 10000
    assert results.warnings == ("brave failed",)
    assert server.received[0].headers["authorization"] == "Bearer s3cret"


def test_no_hits_are_an_empty_result(server):
    body = {"data": None, "code": 422, "name": "AssertionFailureError", "status": 42206,
            "message": "No search results available for query x"}  # fmt: skip
    failed = {**body, "name": "DownstreamServiceFailureError", "message": "nobody answered"}
    server.routes["/s/"] = [
        http(422, json.dumps(each).encode(), content_type="application/json") for each in (body, failed)
    ]
    with RemoteSearch(Remote(server.url(""))) as search:
        assert search.search(QUERY).results == ()
        with pytest.raises(HTTPStatusError, match="nobody answered"):
            search.search(QUERY)


OUT_OF_FORM = [
        {}, {"data": None}, {"data": {"a": 1}}, {"data": "text"}, {"data": [1]}, {"data": [None]},
        *({"data": [{**DOCUMENTED, name: wrong}]} for name in ("title", "url", "content", "siteLinks", "imageWidth")
          for wrong in (True, [[1]], {"a": 5})),
        {"data": [], "meta": 3}, {"data": [], "meta": {"usage": {"tokens": "many"}}},
        {"data": [], "meta": {"warnings": [3]}},
]  # fmt: skip


def test_answers_out_of_form(server):
    with RemoteSearch(Remote(server.url(""))) as search:
        for body in OUT_OF_FORM:
            server.routes["/s/"] = [http(body=json.dumps(body).encode(), content_type="application/json")]
            with pytest.raises(WebError, match="out of form"):
                search.search(QUERY)


def test_one_page_out_of_form_leaves_the_others(server):
    server.routes["/s/"] = [_answer([{**DOCUMENTED, "links": 3}, DOCUMENTED])]
    with RemoteSearch(Remote(server.url(""))) as search:
        results = search.search(QUERY)
    assert results[0].page is None
    assert "links" in str(results[0].error)
    assert results[1].page is not None


def _answer(data):
    meta = {"usage": {"tokens": 10000}, "warnings": ["brave failed"]}
    body = {"code": 200, "status": 20000, "data": data, "meta": meta}
    return http(body=json.dumps(body).encode(), content_type="application/json")
