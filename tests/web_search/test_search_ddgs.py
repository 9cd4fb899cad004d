"""The real package, with an engine of the test's own that asks a local server."""

import asyncio
import json
import pickle
import sys
from collections.abc import Iterator

import pytest

ddgs = pytest.importorskip("ddgs")

from ddgs.base import BaseSearchEngine  # noqa: E402
from ddgs.engines import ENGINES  # noqa: E402
from ddgs.results import ImagesResult, NewsResult, TextResult  # noqa: E402

from jina_components.errors import ConfigError, FetchTimeoutError, MissingDependencyError, WebError  # noqa: E402
from jina_components.search_options import SearchOptions  # noqa: E402
from jina_components.testing import check_search_provider  # noqa: E402
from jina_components.web_search import DdgsSearch  # noqa: E402

KINDS = {"text": TextResult, "news": NewsResult, "images": ImagesResult}
ROWS = {
    "text": {"title": "Rain", "href": "https://a.org/rain", "body": "It falls."},
    "news": {"title": "Rain", "url": "https://a.org/n", "body": "…", "date": "2025-01-02", "source": "A"},
    "images": {
        "title": "Drop", "image": "https://b.org/drop.png", "url": "https://b.org/photo", "width": 640, "height": 480,
        "source": "Bing",
    },
}  # fmt: skip


@pytest.fixture
def engine(api, monkeypatch) -> Iterator[str]:
    def make(kind):
        class Local(BaseSearchEngine):
            name = "local-test"
            category = kind
            provider = "local-test"
            search_url = f"{api.url}/{kind}"
            search_method = "GET"

            def build_payload(self, query, region, safesearch, timelimit, page=1, **_):
                return {"q": query, "region": region, "safe": safesearch, "time": timelimit or "", "page": str(page)}

            def extract_results(self, html_text):
                return [KINDS[kind](**row) for row in json.loads(html_text)]

        return Local

    for kind in KINDS:
        monkeypatch.setitem(ENGINES[kind], "local-test", make(kind))
        api.answer(f"/{kind}", [ROWS[kind]])
    return "local-test"


def ask(engine, query="rain", timeout=8, **options):
    return asyncio.run(DdgsSearch(backend=engine, timeout=timeout).search(query, SearchOptions(**options)))


def test_pages(api, engine):
    (found,) = ask(engine, sites=("a.org",), country="gb", language="de", time_range="week", safe="strict", page=2)
    assert (found.url, found.title, found.description) == ("https://a.org/rain", "Rain", "It falls.")
    assert {name: values[0] for name, values in api.asked[-1].params.items()} == {
        "q": "rain site:a.org", "region": "uk-de", "safe": "on", "time": "w", "page": "2",
    }  # fmt: skip


def test_news_and_images(engine):
    (news,) = ask(engine, kind="news")
    assert (news.url, news.source, news.published_time) == ("https://a.org/n", "A", "2025-01-02")
    (image,) = ask(engine, kind="images")
    assert (image.url, image.image_url, image.image_width) == ("https://b.org/photo", "https://b.org/drop.png", 640)


@pytest.mark.parametrize(
    ("options", "region"),
    [({}, "us-en"), ({"country": "de"}, "de-en"), ({"language": "pt-BR"}, "br-pt"), ({"language": "fr"}, "us-fr")],
)
def test_regions(api, engine, options, region):
    ask(engine, **options)
    assert api.asked[-1].param("region") == region


def test_nothing_found_is_no_failure(api, engine):
    api.answer("/text", [])
    assert ask(engine) == []


def test_failures(api, engine):
    api.answer("/text", b"{")
    with pytest.raises(WebError, match="engines of ddgs failed"):
        ask(engine)
    api.answer("/text", [], delay=3)
    with pytest.raises(FetchTimeoutError, match="in time"):
        ask(engine, timeout=1)


def test_engines_that_there_are_not(engine):
    with pytest.raises(ConfigError, match=r"no engine 'nowhere' for news; it has .*local-test"):
        asyncio.run(DdgsSearch(backend="local-test, nowhere").search("rain", SearchOptions(kind="news")))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ddgs", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-components\[search\]'"):
        asyncio.run(DdgsSearch().search("rain", SearchOptions()))


def test_settings():
    with pytest.raises(ConfigError, match="timeout"):
        DdgsSearch(timeout=0)
    provider = DdgsSearch(backend="brave", proxy="http://user:word@proxy:1")
    assert "word" not in repr(provider)
    assert pickle.loads(pickle.dumps(provider)).name == "ddgs"


def test_the_contract(engine):
    check_search_provider(DdgsSearch(backend=engine), query="rain")
