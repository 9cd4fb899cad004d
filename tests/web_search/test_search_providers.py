"""Providers behind an HTTP API, against a server that answers in the form that each documents."""

import asyncio
import pickle

import pytest

from jina_components.errors import ConfigError, HTTPStatusError, WebError
from jina_components.search_options import SearchOptions
from jina_components.testing import check_search_provider
from jina_components.types import SearchResult
from jina_components.web_search import (
    BraveSearch,
    JinaSearch,
    JinaVipSearch,
    Rate,
    SearxngSearch,
    SerperSearch,
    TavilySearch,
)

KEY = "secret-key-123"
ALL = SearchOptions(
    count=5, page=2, country="de", language="de", location="Berlin", sites=("a.org",), file_types=("pdf",),
    in_title=("heavy rain",), time_range="week", safe="strict", autocorrect=False,
)  # fmt: skip
OPERATORS = 'rain (site:a.org) AND (filetype:pdf) AND (intitle:"heavy rain")'


def ask(provider, query="rain", options=None):
    return asyncio.run(provider.search(query, options or SearchOptions()))


# --- SearXNG -----------------------------------------------------------------------------------------------------

SEARXNG = {
    "query": "rain",
    "number_of_results": 0,
    "results": [
        {
            "url": "https://a.org/rain", "title": "Rain", "content": "It falls.", "engine": "bing", "engines": ["bing"],
            "publishedDate": "2024-01-15T00:00:00", "thumbnail": None, "positions": [1], "score": 1.0,
            "category": "general", "parsed_url": ["https", "a.org", "/rain", "", "", ""],
        },
        {
            "url": "https://b.org/photo", "title": "A drop", "content": "", "img_src": "https://b.org/drop.png",
            "thumbnail_src": "https://b.org/small.png", "resolution": "1920 x 1080", "source": "b.org",
        },
    ],
    "answers": [], "corrections": [], "infoboxes": [], "suggestions": [],
    "unresponsive_engines": [["google", "CAPTCHA"]],
}  # fmt: skip


def test_searxng(api):
    api.answer("/search", SEARXNG)
    page, image = ask(SearxngSearch(api.url, engines=("bing", "wikipedia")), options=ALL)
    assert page == SearchResult("https://a.org/rain", "Rain", "It falls.", published_time="2024-01-15T00:00:00")
    assert (image.image_url, image.image_width, image.image_height) == ("https://b.org/drop.png", 1920, 1080)
    (asked,) = api.asked
    assert (asked.method, asked.path) == ("GET", "/search")
    assert asked.params == {
        "q": [OPERATORS], "format": ["json"], "categories": ["general"], "engines": ["bing,wikipedia"],
        "language": ["de"], "pageno": ["2"], "time_range": ["week"], "safesearch": ["2"],
    }  # fmt: skip
    ask(SearxngSearch(api.url), options=SearchOptions(kind="images", safe="off"))
    assert (api.asked[-1].param("categories"), api.asked[-1].param("safesearch")) == ("images", "0")


def test_searxng_without_engines_is_a_failure_not_an_empty_result(api):
    api.answer("/search", SEARXNG | {"results": []})
    with pytest.raises(WebError, match=r"None of the engines .*google: CAPTCHA"):
        ask(SearxngSearch(api.url))
    api.answer("/search", SEARXNG | {"results": [], "unresponsive_engines": []})
    assert ask(SearxngSearch(api.url)) == []


def test_searxng_without_json_tells_the_remedy(api):
    api.answer("/search", b"Forbidden", status=403)
    with pytest.raises(HTTPStatusError, match="search.formats") as caught:
        ask(SearxngSearch(api.url))
    assert caught.value.status_code == 403


# --- Brave -------------------------------------------------------------------------------------------------------

BRAVE_PAGE = {
    "title": "Rain &amp; snow", "url": "https://a.org/rain", "description": "It&#x27;s wet.", "age": "2 days ago",
    "page_age": "2025-01-02T03:04:05", "profile": {"name": "A", "url": "https://a.org", "img": "https://i.org/a.png"},
    "meta_url": {"hostname": "a.org", "favicon": "https://i.org/a.ico"}, "language": "en", "family_friendly": True,
    "thumbnail": {"src": "https://i.org/small.png", "original": "https://a.org/big.png"},
}  # fmt: skip
BRAVE_IMAGE = {
    "type": "image_result", "title": "Drop", "url": "https://b.org/photo", "source": "b.org",
    "thumbnail": {"src": "https://i.org/small.png", "width": 500, "height": 300},
    "properties": {"url": "https://b.org/drop.png", "placeholder": "…", "width": 1920, "height": 1080},
    "meta_url": {"hostname": "b.org", "favicon": "https://i.org/b.ico"},
}  # fmt: skip


def test_brave_web(api):
    api.answer("/web/search", {"type": "search", "web": {"type": "search", "results": [BRAVE_PAGE]}})
    (found,) = ask(BraveSearch(KEY, base_url=api.url), options=ALL)
    assert found == SearchResult(
        "https://a.org/rain", "Rain & snow", "It's wet.", published_time="2025-01-02T03:04:05", source="A",
        image_url="https://a.org/big.png", favicon="https://i.org/a.ico",
    )  # fmt: skip
    (asked,) = api.asked
    assert asked.headers["x-subscription-token"] == KEY
    assert "authorization" not in asked.headers
    assert asked.params == {
        "q": [OPERATORS], "count": ["5"], "offset": ["1"], "country": ["DE"], "search_lang": ["de"],
        "freshness": ["pw"], "safesearch": ["strict"], "spellcheck": ["0"], "result_filter": ["web"],
        "text_decorations": ["0"],
    }  # fmt: skip


def test_brave_without_hits_has_no_list(api):
    api.answer("/web/search", {"type": "search", "query": {"original": "rain"}})
    assert ask(BraveSearch(KEY, base_url=api.url)) == []


def test_brave_news_and_images(api):
    brave = BraveSearch(KEY, base_url=api.url)
    api.answer("/news/search", {"type": "news", "results": [BRAVE_PAGE]})
    assert ask(brave, options=SearchOptions(kind="news"))[0].url == "https://a.org/rain"
    api.answer("/images/search", {"type": "images", "results": [BRAVE_IMAGE]})
    (image,) = ask(brave, options=SearchOptions(kind="images"))
    assert image == SearchResult(
        "https://b.org/photo", "Drop", source="b.org", image_url="https://b.org/drop.png", image_width=1920,
        image_height=1080, favicon="https://i.org/b.ico",
    )  # fmt: skip
    assert api.asked[-1].params == {"q": ["rain"], "count": ["10"], "spellcheck": ["1"], "safesearch": ["strict"]}


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("ja", "jp"), ("en-GB", "en-gb"), ("en-US", "en"), ("pt-BR", "pt-br"), ("zh-TW", "zh-hant"), ("zh", "zh-hans"),
        ("fr-CA", "fr"),
    ],
)  # fmt: skip
def test_brave_names_languages_its_way(api, tag, wanted):
    api.answer("/web/search", {"web": {"results": []}})
    ask(BraveSearch(KEY, base_url=api.url), options=SearchOptions(language=tag))
    assert api.asked[-1].param("search_lang") == wanted


# --- Serper ------------------------------------------------------------------------------------------------------


def test_serper(api):
    serper = SerperSearch(KEY, base_url=api.url)
    api.answer(
        "/search",
        {
            "searchParameters": {"q": "rain", "type": "search", "engine": "google"},
            "organic": [
                {
                    "title": "Rain", "link": "https://a.org/rain", "snippet": "It falls.", "date": "Jan 2, 2025",
                    "position": 1, "sitelinks": [{"title": "Clouds", "link": "https://a.org/clouds"}],
                }
            ],
            "credits": 1,
        },
    )  # fmt: skip
    assert ask(serper, options=ALL) == [
        SearchResult(
            "https://a.org/rain", "Rain", "It falls.", published_time="Jan 2, 2025",
            site_links=(("Clouds", "https://a.org/clouds"),),
        )
    ]  # fmt: skip
    (asked,) = api.asked
    assert (asked.method, asked.headers["x-api-key"]) == ("POST", KEY)
    assert asked.body == {
        "q": OPERATORS, "num": 5, "page": 2, "gl": "de", "hl": "de", "location": "Berlin", "tbs": "qdr:w",
        "autocorrect": False,
    }  # fmt: skip


def test_serper_news_and_images(api):
    serper = SerperSearch(KEY, base_url=api.url)
    api.answer(
        "/news",
        {
            "news": [
                {
                    "title": "Rain", "link": "https://a.org/n", "snippet": "…", "date": "1 hour ago", "source": "A",
                    "imageUrl": "https://a.org/i",
                }
            ]
        },
    )  # fmt: skip
    (news,) = ask(serper, options=SearchOptions(kind="news", time_range="hour"))
    assert (news.source, news.published_time, news.image_url) == ("A", "1 hour ago", "https://a.org/i")
    assert api.asked[-1].body["tbs"] == "qdr:h"
    api.answer(
        "/images",
        {
            "images": [
                {
                    "title": "Drop", "imageUrl": "https://b.org/drop.png", "imageWidth": 640, "imageHeight": 480,
                    "thumbnailUrl": "https://i.org/t", "source": "B", "domain": "b.org", "link": "https://b.org/photo",
                }
            ]
        },
    )  # fmt: skip
    (image,) = ask(serper, options=SearchOptions(kind="images"))
    assert (image.url, image.image_url, image.image_width) == ("https://b.org/photo", "https://b.org/drop.png", 640)


# --- Tavily ------------------------------------------------------------------------------------------------------


def test_tavily(api):
    tavily = TavilySearch(KEY, base_url=api.url)
    row = {"title": "Rain", "url": "https://a.org/rain", "content": "It falls.", "score": 0.9, "raw_content": None}
    api.answer("/search", {"query": "rain", "images": [], "results": [row | {"favicon": "https://a.org/i"}]})
    assert ask(tavily, options=ALL) == [
        SearchResult("https://a.org/rain", "Rain", "It falls.", favicon="https://a.org/i")
    ]
    (asked,) = api.asked
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "query": "rain", "topic": "general", "max_results": 5, "time_range": "week", "include_domains": ["a.org"],
        "country": "germany", "include_favicon": True,
    }  # fmt: skip
    api.answer("/search", {"results": [row | {"published_date": "Thu, 02 Jan 2025 03:04:05 GMT"}]})
    (news,) = ask(tavily, options=SearchOptions(kind="news"))
    assert news.published_time.startswith("Thu, 02 Jan 2025")
    assert api.asked[-1].body["topic"] == "news"


def test_tavily_says_what_it_cannot_do():
    options = SearchOptions(language="de", file_types=("pdf",), country="va", count=50, time_range="hour")
    fitted, notes = TavilySearch(KEY).capabilities.fit(options)
    assert (fitted.language, fitted.file_types, fitted.country, fitted.count, fitted.time_range) == (
        "", (), "", 20, "day",
    )  # fmt: skip
    assert notes == (
        "does not know language, file_types",
        "does not know the country 'VA'",
        "does not know the time range 'hour' and was asked for 'day'",
        "gives at most 20 results",
    )


# --- Jina --------------------------------------------------------------------------------------------------------

JINA_ROW = {
    "title": "Rain", "url": "https://a.org/rain", "description": "It falls.", "content": "", "date": "Jan 2, 2025",
    "source": "A", "usage": {"tokens": 1000}, "siteLinks": [{"title": "Clouds", "url": "https://a.org/clouds"}],
}  # fmt: skip


def test_jina(api):
    api.answer("/", {"code": 200, "status": 20000, "data": [JINA_ROW], "meta": {"usage": {"tokens": 10000}}})
    (found,) = ask(JinaSearch(KEY, base_url=api.url), options=ALL)
    assert found == SearchResult(
        "https://a.org/rain", "Rain", "It falls.", published_time="Jan 2, 2025", source="A",
        site_links=(("Clouds", "https://a.org/clouds"),),
    )  # fmt: skip
    (asked,) = api.asked
    assert (asked.method, asked.path) == ("POST", "/")
    assert (asked.headers["authorization"], asked.headers["x-respond-with"]) == (f"Bearer {KEY}", "no-content")
    assert asked.headers["accept"] == "application/json"
    assert asked.body == {
        "q": OPERATORS, "type": "web", "num": 5, "page": 2, "gl": "DE", "hl": "de", "location": "Berlin", "nfpr": True,
    }  # fmt: skip


def test_jina_without_hits_answers_422(api):
    nothing = {
        "data": None, "code": 422, "name": "AssertionFailureError", "status": 42206,
        "message": "No search results available for query rain", "readableMessage": "AssertionFailureError: No …",
    }  # fmt: skip
    api.answer("/", nothing, status=422)
    assert ask(JinaSearch(KEY, base_url=api.url)) == []
    api.answer("/", nothing | {"message": "Failed to read", "status": 42204}, status=422)
    with pytest.raises(HTTPStatusError, match="Failed to read"):
        ask(JinaSearch(KEY, base_url=api.url))


def test_jina_vip(api):
    row = {"title": "Rain", "url": "https://a.org/rain", "snippet": "It falls.", "date": "2 days ago"}
    api.answer("/", {"results": [row], "meta": {"query": "rain", "num_results": 1, "latency": 1, "credits": 5}})
    (found,) = ask(JinaVipSearch(KEY, base_url=api.url), options=SearchOptions(time_range="hour", kind="images"))
    assert (found.description, found.published_time) == ("It falls.", "2 days ago")
    assert api.asked[0].body == {"q": "rain", "num": 10, "type": "images", "tbs": "qdr:h"}


# --- all of them -------------------------------------------------------------------------------------------------

ROW = {
    "url": "https://a.org/rain", "link": "https://a.org/rain", "title": "Rain", "imageUrl": "https://a.org/i.png",
    "img_src": "https://a.org/i.png", "properties": {"url": "https://a.org/i.png"},
}  # fmt: skip
BODY = {name: [ROW] for name in ("results", "data", "organic", "news", "images")} | {"web": {"results": [ROW]}}
PATHS = ("/", "/search", "/news", "/images", "/web/search", "/news/search", "/images/search")
PROVIDERS = [
    lambda url: SearxngSearch(url),
    lambda url: BraveSearch(KEY, base_url=url),
    lambda url: SerperSearch(KEY, base_url=url),
    lambda url: TavilySearch(KEY, base_url=url),
    lambda url: JinaSearch(KEY, base_url=url),
    lambda url: JinaVipSearch(KEY, base_url=url),
]


@pytest.mark.parametrize("make", PROVIDERS)
def test_the_contract(api, make):
    for path in PATHS:
        api.answer(path, BODY)
    with make(api.url) as provider:
        check_search_provider(provider, query="rain")


@pytest.mark.parametrize("make", PROVIDERS)
def test_odd_answers_are_errors_or_results_and_nothing_else(api, make):
    provider = make(api.url)
    for body in (BODY | {"results": 3, "data": 3, "organic": "x", "web": {"results": {}}}, [], 3, b"<html>", b"{", b""):
        for path in PATHS:
            api.answer(path, body)
        with pytest.raises(WebError):
            ask(provider)
    odd = [
        None,
        3,
        {},
        {"url": 3, "link": [], "title": {}, "meta_url": 1, "sitelinks": [1, {"title": 2}], "siteLinks": 4},
    ]
    for path in PATHS:
        api.answer(path, dict.fromkeys(BODY, odd) | {"web": {"results": odd}})
    assert {found.url for found in ask(provider)} == {""}


@pytest.mark.parametrize("make", PROVIDERS)
def test_failures_name_status_and_wait_and_hide_the_key(api, make):
    for path in PATHS:
        api.answer(path, {"message": f"The key {KEY} may not."}, status=429, retry_after="60")
    provider = make(api.url)
    with pytest.raises(HTTPStatusError) as caught:
        ask(provider)
    assert (caught.value.status_code, caught.value.retry_after) == (429, 60.0)
    if not isinstance(provider, SearxngSearch):
        assert KEY not in str(caught.value)
    assert KEY not in repr(provider)


@pytest.mark.parametrize("make", PROVIDERS)
def test_settings_travel(api, make):
    for path in PATHS:
        api.answer(path, BODY)
    copy = pickle.loads(pickle.dumps(make(api.url)))
    assert [found.url for found in ask(copy)] == ["https://a.org/rain"]


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="base_url"):
        SearxngSearch("localhost:8080")
    with pytest.raises(ConfigError, match="api_key"):
        BraveSearch("two words")
    with pytest.raises(ConfigError, match="rate"):
        BraveSearch(KEY, rate=Rate(0, 1.0))
    assert BraveSearch(KEY, rate=Rate(20, 1.0)).capabilities.rate == Rate(20, 1.0)
    assert BraveSearch(KEY).capabilities.rate == Rate(1, 1.0)


def test_commands_to_a_terminal_are_no_text(api):
    row = {"url": "https://a.org/\x1b[2J", "title": "Rain\x1b]0;x\x07\r\nfalls", "content": "\x9b31m it\x00pours"}
    api.answer("/search", {"results": [row]})
    (found,) = asyncio.run(SearxngSearch(api.url).search("rain", SearchOptions()))
    assert (found.url, found.title, found.description) == ("https://a.org/ [2J", "Rain ]0;x falls", "31m it pours")
