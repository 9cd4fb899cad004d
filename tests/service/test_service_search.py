from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from local_server import LocalServer, ServerThread, http
from starlette.testclient import TestClient

from jina_components.errors import WebError
from jina_components.search_options import SearchOptions
from jina_components.service import Components, ServiceSettings
from jina_components.types import Page, SearchResult
from jina_components.web_search import Capabilities, JinaSearch, JinaVipSearch, WebSearch

JSON = {"Accept": "application/json"}
EVENTS = {"Accept": "text/event-stream"}
BARE = {"X-Respond-With": "no-content"}


def article(title, *paragraphs):
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    head = f"<title>{title}</title><link rel=icon href=/icon.png>"
    return http(
        body=f"<html><head>{head}</head><body><article>{body}</article></body></html>".encode(),
        content_type="text/html; charset=utf-8",
    )


class Engine:
    """A search engine: finds what it was given, whatever it is asked, and keeps how it was asked."""

    def __init__(self, name="engine", results=(), error=None):
        self.name = name
        self.capabilities = Capabilities(
            kinds={"web": 100, "news": 100, "images": 100},
            options=frozenset(
                ("page", "country", "language", "location", "file_types", "in_title", "time_range", "autocorrect")
            ),
            time_ranges=("hour", "day", "week", "month", "year"),
        )
        self.results, self.error = results, error
        self.asked = []

    async def search(self, query, options):
        self.asked.append((query, options))
        if self.error:
            raise self.error
        return [] if "nothing" in query else list(self.results)


@pytest.fixture(scope="module")
def site():
    thread = ServerThread()
    site = thread.start(LocalServer())
    site.routes |= {
        "/tides": [article("Tides", "The moon pulls the water of the sea. " * 4, 'See <a href="/moon">the moon</a>.')],
        "/moon": [article("The moon", "It goes around the earth in a month. " * 4)],
        "/gone": [http(500)],
    }
    yield site
    thread.stop()


@pytest.fixture(scope="module")
def engine(site):
    return Engine(
        results=(
            SearchResult(
                site.url("/tides"), "Tides - a page", "Why the sea\nrises.", published_time="3 days ago",
                source="Sea Weekly", favicon="https://sea.example/icon.png",
                site_links=(("Moon", "https://sea.example/moon"),),
            ),
            SearchResult(
                site.url("/gone"), "Gone", "It was here.", image_url="https://sea.example/a.png", image_width=640,
                image_height=480,
            ),
        )
    )  # fmt: skip


def web_service(make_app, folder, providers, **settings):
    made = ServiceSettings(data=folder, warm_up=(), allow_networks=("127.0.0.0/8",), **settings)
    return TestClient(make_app(components=Components(made, providers=providers)), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def web(make_app, tmp_path_factory, engine):
    other = Engine("other", [SearchResult("https://other.example/", "Other")])
    with web_service(make_app, tmp_path_factory.mktemp("web"), [engine, other]) as client:
        yield client


@pytest.fixture(scope="module")
def local(make_app, site):
    """A service that asks nobody, and has read two pages."""
    with TestClient(make_app(allow_networks=("127.0.0.0/8",)), raise_server_exceptions=False) as client:
        for path in ("/tides", "/moon"):
            assert client.get(f"/r/{site.url(path)}").status_code == 200
        yield client


def events(answer):
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    return [
        (block[0].removeprefix("event: "), json.loads(block[1].removeprefix("data: ")))
        for block in blocks
    ]  # fmt: skip


def refused(answer, path, *, status=400):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["name"] == "ParamValidationError"
    assert body["path"] == path
    assert body["readableMessage"] == f"ParamValidationError({path}): {body['message']}"
    return body["message"]


# --- forms of answers --------------------------------------------------------------------------------------------


def test_text_has_its_lines_in_order(web, site):
    answer = web.get("/s/tides", headers={"X-With-Favicons": "true"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-usage-tokens"] == "10000"
    first, second = answer.text.split("\n\n[2] ")
    head, content = first.split("\n\n", 1)
    assert head.split("\n") == [
        "[1] Title: Tides",
        "[1] Source: Sea Weekly",
        f"[1] URL Source: {site.url('/tides')}",
        "[1] Description: Why the sea rises.",
        "[1] Date: 3 days ago",
        "[1] Favicon: https://sea.example/icon.png",
    ]
    assert content.startswith("The moon pulls the water of the sea.")
    assert second.split("\n") == [
        "Title: Gone",
        f"[2] URL Source: {site.url('/gone')}",
        "[2] Image URL: https://sea.example/a.png",
        "[2] Description: It was here.",
        "[2] Image Width: 640",
        "[2] Image Height: 480",
        "",
    ]


def test_json(web, site):
    body = web.get("/s/tides", headers=JSON).json()
    assert {name: body[name] for name in ("code", "status", "meta")} == {
        "code": 200,
        "status": 20000,
        "meta": {"usage": {"tokens": 10000}},
    }
    read, failed = body["data"]
    assert list(read) == ["title", "url", "description", "content", "date", "source", "siteLinks", "usage"]
    assert read["title"] == "Tides"
    assert read["description"] == "Why the sea\nrises."
    assert read["siteLinks"] == [{"title": "Moon", "url": "https://sea.example/moon"}]
    assert read["usage"] == {"tokens": 5000}
    assert failed["url"] == site.url("/gone")
    assert failed["content"] == ""
    assert failed["imageWidth"] == 640
    assert "500" in failed["warning"]


def test_events_are_ever_more_complete(web):
    told = events(web.get("/s/tides", headers=EVENTS))
    assert len(told) > 1
    assert {name for name, _ in told} == {"data"}
    assert [each["content"] for each in told[0][1]] == ["", ""]
    assert "moon" in told[-1][1][0]["content"]
    assert told[-1][1] == web.get("/s/tides", headers=JSON).json()["data"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda web, q: web.get(f"/s/{quote(q, safe='')}", headers=JSON),
        lambda web, q: web.post(f"/s/{quote(q, safe='')}", headers=JSON),
        lambda web, q: web.get("/s/", params={"q": q}, headers=JSON),
        lambda web, q: web.get("/s", params={"q": q}, headers=JSON),
        lambda web, q: web.get("/s/search", params={"q": q}, headers=JSON),
        lambda web, q: web.post("/s/search", json={"q": q}, headers=JSON),
        lambda web, q: web.post("/s/", json={"q": q}, headers=JSON),
        lambda web, q: web.post("/s/", data={"q": q}, headers=JSON),
        lambda web, q: web.post("/s/", files={"q": (None, q)}, headers=JSON),
        lambda web, q: web.get("/", params={"q": q}, headers=JSON | {"Host": "s.search.example"}),
        lambda web, q: web.get(f"/{quote(q, safe='')}", headers=JSON | {"Host": "eu.s.search.example"}),
    ],
)
def test_ways_to_ask(web, engine, ask):
    query = "what/is a tide? 50% of C++\nand é"
    answer = ask(web, query)
    assert answer.status_code == 200, answer.text
    assert engine.asked[-1][0] == query


def test_asked_for_nothing_it_tells_how_to_ask(web):
    assert web.get("/s/").text == (
        "[Usage 1] http://testserver/s/YOUR_SEARCH_QUERY\n"
        "[Usage 2] http://testserver/s/?q=YOUR_SEARCH_QUERY\n"
        "[Usage 3] POST http://testserver/s/ with q, as JSON or a form\n"
        "[Homepage] http://testserver/docs\n"
    )
    told = web.post("/s/search", json={"q": " "}, headers=JSON | {"Host": "s.example.com"}).json()["data"]
    assert told["usage1"] == "http://s.example.com/YOUR_SEARCH_QUERY"
    assert told["homepage"] == "http://api.example.com/docs"


def test_nothing_found(web):
    answer = web.get("/s/nothing", headers=JSON)
    assert answer.status_code == 422
    assert answer.json() | {"message": ""} == {
        "data": None, "code": 422, "name": "AssertionFailureError", "status": 42206, "message": "",
        "readableMessage": "AssertionFailureError: No search results were found for this query.",
    }  # fmt: skip
    [(name, told)] = events(web.get("/s/nothing", headers=EVENTS))
    assert (name, told["status"]) == ("error", 42206)
    text = web.get("/s/nothing").text
    assert text == "AssertionFailureError: No search results were found for this query."


def test_our_own_client_understands_it(start_service, make_app, tmp_path, engine):
    made = ServiceSettings(data=tmp_path, warm_up=(), allow_networks=("127.0.0.0/8",))
    url = start_service(make_app(components=Components(made, providers=[engine])))
    with WebSearch(JinaSearch("a-key", base_url=f"{url}/s")) as search:
        found = search.search("tides", options=SearchOptions(sites=("127.0.0.1",), country="de"))
        assert [(each.url, each.title, each.published_time) for each in found] == [
            (each.url, each.title, each.published_time) for each in engine.results
        ]
        assert (engine.asked[-1][1].country, engine.asked[-1][1].contents) == ("DE", False)
        assert not search.search("nothing")


# --- parameters --------------------------------------------------------------------------------------------------

OF_OPTIONS = [
    ("count", "3", {"count": 3}),
    ("num", "3", {"count": 3}),
    ("type", "news", {"kind": "news"}),
    ("gl", "de", {"country": "DE"}),
    ("gl", "DE", {"country": "DE"}),
    ("loc", "fr", {"country": "FR"}),
    ("hl", "pt-BR", {"language": "pt-BR"}),
    ("hl", "zh-cn", {"language": "zh-cn"}),
    ("location", "Berlin, Germany", {"location": "Berlin, Germany"}),
    ("page", "2", {"page": 2}),
    ("nfpr", "true", {"autocorrect": False}),
    ("nfpr", "false", {"autocorrect": True}),
    ("site", "https://127.0.0.1/", {"sites": ("127.0.0.1",)}),
    ("filetype", "pdf", {"file_types": ("pdf",)}),
    ("ext", "pdf, .DOCX", {"file_types": ("pdf", "docx")}),
    ("intitle", "high, low", {"in_title": ("high, low",)}),
    ("tbs", "qdr:w", {"time_range": "week"}),
]


@pytest.mark.parametrize("place", ["query", "json", "form", "header"])
@pytest.mark.parametrize(("name", "value", "wanted"), OF_OPTIONS)
def test_parameters_are_mapped(web, engine, place, name, value, wanted):
    said = {
        "query": {"params": {name: value}},
        "json": {"json": {name: value}},
        "form": {"data": {name: value}},
        "header": {"headers": {f"X-{name}": value}},
    }[place]
    answer = web.post("/s/tides", **said | {"headers": {**BARE, **said.get("headers", {})}})
    assert answer.status_code == 200, answer.text
    assert {field: getattr(engine.asked[-1][1], field) for field in wanted} == wanted


def test_json_has_its_own_types(web, engine):
    asked = {"q": "tides", "num": 4, "page": 2, "nfpr": True, "site": ["127.0.0.1", "b.org"], "intitle": ["a", "b"]}
    assert web.post("/s/", json=asked, headers=BARE).status_code == 200
    options = engine.asked[-1][1]
    assert (options.count, options.page, options.autocorrect) == (4, 2, False)
    assert (options.sites, options.in_title) == (("127.0.0.1", "b.org"), ("a", "b"))


def test_repeated_ones_add_up(web, engine):
    web.get("/s/tides?site=127.0.0.1&site=b.org,c.org&ext=pdf&filetype=doc", headers=BARE)
    assert engine.asked[-1][1].sites == ("127.0.0.1", "b.org", "c.org")
    assert engine.asked[-1][1].file_types == ("doc", "pdf")
    web.get("/s/tides", headers=[*BARE.items(), ("X-Site", "127.0.0.1"), ("X-Site", "b.org")])
    assert engine.asked[-1][1].sites == ("127.0.0.1", "b.org")


def test_results_keep_to_the_site(web, site):
    asked = {"site": "https://127.0.0.1/"}
    assert [each["url"] for each in web.get("/s/tides", params=asked, headers=JSON | BARE).json()["data"]] == [
        site.url("/tides"),
        site.url("/gone"),
    ]
    assert web.get("/s/tides", headers=JSON | {"X-Site": "elsewhere.example"}).status_code == 422


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "21"), ("num", "-1"), ("num", "many"), ("type", "videos"), ("gl", "xx"), ("gl", "germany"),
        ("hl", "klingon"), ("hl", "xx-US"), ("hl", "en_US!"), ("page", "0"), ("page", "1.5"), ("tbs", "qdr:decade"),
        ("site", "a b"), ("ext", "p/d"), ("intitle", 'a" OR "b'), ("loc", "??"), ("location", "x" * 201),
        ("provider", "altavista"), ("engine", "altavista"), ("q", "x" * 10_001), ("respondWith", "markdown+html"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(web, name, value):
    refused(web.post("/s/tides", json={name: value}, headers=JSON), name)
    refused(web.get("/s/tides", params={name: value}, headers=JSON), name)


@pytest.mark.parametrize("name", ["site", "ext", "intitle", "setCookies"])
def test_lists_of_lists_of_lists_are_none(web, name):
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    refused(web.post("/s/tides", json={name: deep}, headers=JSON), name)


@pytest.mark.parametrize("body", [b"[1]", b"{", b'"text"'])
def test_bodies_that_are_none(web, body):
    refused(web.post("/s/tides", content=body, headers=JSON), "body")


def test_a_body_of_too_many_lists_is_not_read(web):
    answer = web.post("/s/tides", content=b'{"site":[' + b"[]," * 2_000_001 + b"[]]}", headers=JSON)
    assert (answer.status_code, answer.json()["status"]) == (413, 41301)


def test_a_count_of_none_asks_nobody(web, engine):
    before = len(engine.asked)
    body = web.get("/s/tides?count=0", headers=JSON).json()
    assert (body["data"], body["meta"]["usage"]["tokens"]) == ([], 0)
    assert len(engine.asked) == before


# --- reading -----------------------------------------------------------------------------------------------------


def test_without_content_nothing_is_read(web, site):
    before = len(site.received)
    body = web.get("/s/tides", headers=JSON | BARE).json()
    assert len(site.received) == before
    assert all("content" not in each for each in body["data"])
    assert body["data"][0]["title"] == "Tides - a page"
    assert web.post("/s/", json={"q": "tides", "respondWith": "no-content"}, headers=JSON).json() == body


def test_options_of_reading_count(web, site):
    asked = {"X-Respond-With": "html", "X-Token-Budget": "1", "X-Timeout": "5", "X-No-Cache": "true"}
    read, failed = web.get("/s/tides", headers=JSON | asked).json()["data"]
    assert read["html"].lstrip().lower().startswith("<html")
    assert "content" not in read
    assert failed["content"] == ""
    linked = web.get("/s/tides", headers=JSON | {"X-With-Links-Summary": "true"}).json()["data"][0]
    assert linked["links"] == {"the moon": site.url("/moon")}
    text = web.get("/s/tides", headers={"X-With-Links-Summary": "true"}).text
    assert f"Links/Buttons:\n- [the moon]({site.url('/moon')})" in text


def test_engine_is_of_reading_where_it_names_a_way_to_fetch(web, engine):
    assert web.post("/s/", json={"q": "tides", "engine": "direct"}).status_code == 200
    assert engine.asked[-1][1].read_options.engine == "direct"
    assert web.get("/s/tides", headers={"X-Engine": "direct"}).status_code == 200
    assert engine.asked[-1][1].read_options.engine == "direct"
    assert web.post("/s/", json={"q": "tides", "engine": "google"}, headers=BARE).status_code == 200


def test_a_day_old_copy_will_do_unless_one_says_else(web, engine):
    web.get("/s/tides")
    assert engine.asked[-1][1].read_options.cache_tolerance == 24 * 3600
    assert engine.asked[-1][1].deadline == 25
    web.get("/s/tides", headers={"X-No-Cache": "1", "X-Timeout": "60"})
    assert engine.asked[-1][1].read_options.cache_tolerance == 0
    assert engine.asked[-1][1].deadline == 75


def test_icons_come_when_asked_for(web, site):
    assert all("favicon" not in each for each in web.get("/s/tides", headers=JSON).json()["data"])
    for header in ("X-With-Favicons", "X-With-Favicon"):
        read, failed = web.get("/s/tides", headers=JSON | {header: "true"}).json()["data"]
        assert read["favicon"] == "https://sea.example/icon.png"
        assert "favicon" not in failed


def test_the_icon_of_a_page_will_do(make_app, tmp_path, site):
    plain = Engine(results=[SearchResult(site.url("/moon"), "Moon")])
    with web_service(make_app, tmp_path, [plain]) as client:
        [read] = client.get("/s/moon", headers=JSON | {"X-With-Favicons": "1"}).json()["data"]
    assert read["favicon"] == site.url("/icon.png")


def test_what_leads_elsewhere_is_not_read(make_app, tmp_path, site):
    found = [SearchResult(site.url("/tides"), "Inside"), SearchResult("file:///etc/passwd", "File")]
    made = ServiceSettings(data=tmp_path, warm_up=())  # which may not reach the loopback interface
    app = make_app(components=Components(made, providers=[Engine(results=found)]))
    before = len(site.received)
    with TestClient(app, raise_server_exceptions=False) as client:
        body = client.get("/s/tides", headers=JSON).json()
    assert [each["content"] for each in body["data"]] == ["", ""]
    assert len(site.received) == before


# --- whom to ask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["google", "bing", "", "engine"])
def test_the_web_is_whoever_the_operator_named(web, engine, name):
    before = len(engine.asked)
    assert web.get("/s/tides", params={"provider": name}, headers=BARE).status_code == 200
    assert len(engine.asked) == before + 1


def test_one_of_them_alone(web, engine):
    before = len(engine.asked)
    [found] = web.get("/s/tides?provider=other", headers=JSON | BARE).json()["data"]
    assert found["url"] == "https://other.example/"
    assert len(engine.asked) == before
    assert "reader, arxiv, engine, other, google, bing" in refused(
        web.get("/s/tides?engine=duck", headers=JSON), "engine"
    )


def test_who_fails_gives_way(make_app, tmp_path, engine):
    broken = Engine("broken", error=WebError("it is out of order"))
    with web_service(make_app, tmp_path, [broken, engine]) as client:
        meta = client.get("/s/tides", headers=JSON | BARE).json()["meta"]
        answer = client.get("/s/tides?provider=broken", headers=JSON | BARE)
    assert meta["warnings"] == ["broken failed: it is out of order"]
    assert answer.status_code == 422
    told = answer.json()
    assert (told["name"], told["status"]) == ("DownstreamServiceFailureError", 42204)
    assert told["message"] == "it is out of order"


def test_what_was_not_heeded_is_told(local):
    assert local.get("/s/tides?gl=de", headers=JSON).json()["meta"]["warnings"] == ["local does not know country."]
    assert "warnings" not in local.get("/s/tides", headers=JSON).json()["meta"]


def test_pages_read_before_are_found(local, site):
    body = local.get("/s/what pulls the water of the sea", headers=JSON).json()
    assert [each["url"] for each in body["data"]] == [site.url("/tides"), site.url("/moon")]
    assert "The moon pulls the water of the sea." in body["data"][0]["content"]
    assert local.get("/s/tides?provider=reader", headers=JSON).status_code == 200
    bare = local.get("/s/tides", headers=JSON | BARE).json()["data"]
    assert all("content" not in each for each in bare)


def test_nobody_answers_for_the_web(local):
    told = refused(local.get("/s/tides?provider=google", headers=JSON), "provider")
    assert "no engine of the web" in told
    assert "reader" in told
    assert local.get("/s/rain?type=news", headers=JSON).status_code == 400


def test_fallback_takes_pages_read_before_when_it_is_allowed(make_app, tmp_path, site, engine):
    with web_service(make_app, tmp_path, [engine]) as client:
        assert client.get("/s/tides").status_code == 200  # which are read, and kept
        assert client.get("/s/nothing of the sea").status_code == 422
        for said in ({"params": {"fallback": "true"}}, {"params": {"provider": "reader"}}):
            body = client.get("/s/nothing of the sea", headers=JSON, **said).json()
            assert [each["url"] for each in body["data"]] == [site.url("/tides")]


@pytest.mark.parametrize(
    ("settings", "headers"), [({"read_pages": False}, {}), ({}, {"DNT": "1"}), ({}, {"X-Set-Cookie": "a=b"})]
)
def test_what_is_to_leave_no_trace_leaves_none(make_app, tmp_path, engine, settings, headers):
    with web_service(make_app, tmp_path, [engine], **settings) as client:
        assert client.get("/s/tides", headers=headers).status_code == 200
        assert client.get("/s/sea?provider=reader").status_code == 422


# --- what it costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "tokens", "each"),
    [
        ({}, 20_000, 1819), ({"type": "news"}, 100_000, 9091), ({"type": "images"}, 100_000, 9091),
        ({"provider": "bing"}, 60_000, 5455), ({"num": "1"}, 10_000, 10_000),
    ],
)  # fmt: skip
def test_a_search_costs_a_step_for_every_ten_results(make_app, tmp_path, asked, tokens, each):
    many = Engine(results=[SearchResult(f"https://sea.example/{number}", "A page") for number in range(11)])
    with web_service(make_app, tmp_path, [many]) as client:
        body = client.get("/s/tides", params={"num": "11", **asked}, headers=JSON | BARE).json()
        text = client.get("/s/tides", params={"num": "11", **asked}, headers=BARE)
    assert body["meta"]["usage"]["tokens"] == tokens
    assert {item["usage"]["tokens"] for item in body["data"]} == {each}
    assert text.headers["x-usage-tokens"] == str(tokens)


def test_what_was_read_is_paid_for_where_it_is_more(local):
    components = local.app.state.components
    components.pages.remember([Page("https://long.example/", "Long", "A word and another. " * 5000)])
    body = local.get("/s/word?site=long.example", headers=JSON).json()
    assert body["meta"]["usage"]["tokens"] > 20_000
    assert body["data"][0]["usage"] == body["meta"]["usage"]


# --- the newer wire ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda web: web.post("/svip/", json={"q": "tides", "num": 30, "tbs": "qdr:d", "gl": "de"}),
        lambda web: web.get("/svip/", params={"q": "tides", "num": 30, "tbs": "qdr:d", "gl": "de"}),
        lambda web: web.post(
            "/", json={"q": "tides", "num": 30, "tbs": "qdr:d", "gl": "de"}, headers={"Host": "svip.search.example"}
        ),
    ],
)
def test_svip(web, site, engine, ask):
    before = len(site.received)
    body = ask(web).json()
    assert body["results"] == [
        {
            "title": "Tides - a page", "url": site.url("/tides"), "snippet": "Why the sea\nrises.",
            "date": "3 days ago", "source": "Sea Weekly",
        },
        {
            "title": "Gone", "url": site.url("/gone"), "snippet": "It was here.",
            "imageUrl": "https://sea.example/a.png", "imageWidth": 640, "imageHeight": 480,
        },
    ]  # fmt: skip
    assert body["meta"] | {"latency": 0} == {"query": "tides", "num_results": 2, "latency": 0, "credits": 10_000}
    asked = engine.asked[-1][1]
    assert (asked.count, asked.time_range, asked.country) == (30, "day", "DE")
    assert len(site.received) == before


def test_svip_finds_nothing_or_is_asked_for_what_it_has_not(web):
    assert web.post("/svip/", json={"q": "nothing"}).json()["results"] == []
    for asked in ({"query_expansion": True}, {"url": "https://example.com"}, {"num": 101}):
        refused(web.post("/svip/", json={"q": "tides", **asked}, headers=JSON), next(iter(asked)))
    refused(web.post("/svip/", json={"q": "tides", "domain": "ssrn"}, headers=JSON), "provider")
    refused(web.get("/svip/", headers=JSON), "q")


def test_our_own_client_of_svip_understands_it(start_service, make_app, tmp_path, engine):
    made = ServiceSettings(data=tmp_path, warm_up=())
    url = start_service(make_app(components=Components(made, providers=[engine])))
    with WebSearch(JinaVipSearch("a-key", base_url=f"{url}/svip")) as search:
        found = search.search("tides", options=SearchOptions(time_range="week"))
    assert [each.url for each in found] == [each.url for each in engine.results]
    assert engine.asked[-1][1].time_range == "week"
