"""The Reader over HTTP: one page as text, JSON and events; what each option does to it; what is refused, and how."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import LocalServer, Received, ServerThread, http, loopback_fetcher
from starlette.testclient import TestClient

from jina_components import Segmenter
from jina_components.core.background import run_sync
from jina_components.net import names as names_module
from jina_components.service import Components, ServiceSettings
from jina_components.service.wire.reading import OPTIONS
from jina_components.testing import FakeChat

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
PAGE = f"""<!doctype html><html lang="en"><head><title>Weather</title>
<meta name="description" content="What comes down.">
<meta property="article:published_time" content="2024-05-01T10:00Z">
<link rel="icon" href="/icon.png"></head><body>
<nav><a href="/home">Home</a> <a href="/about">About</a></nav>
<div class="cookie-banner" role="dialog" style="position:fixed;z-index:9999">We use cookies.
<button>Accept</button></div>
<main><h1>Weather</h1><p>It rains <b>today</b> and <em>tomorrow</em>, says <a href="more?a=1">the forecast</a>, and it
rains in the mountains as well, where it will turn to snow above two thousand metres at night.</p>
<h2>Rain</h2><p>Rain is water that falls <img src="/rain.png" alt="drops"> from clouds; see
<a href="more?a=1">the same forecast</a> for more of it. <img src="/sun.png"> <img src="/rain.png" alt="again"></p>
<ul><li>drizzle</li><li>shower</li></ul><hr><table><tr><th>Day</th><th>mm</th></tr><tr><td>Monday</td><td>3</td></tr>
</table><p><img src="{PIXEL}" alt="inline" width="20" height="20"></p></main></body></html>""".encode()
PUBLISHED = "2024-05-01T10:00:00+00:00"
JSON = {"accept": "application/json"}
EVENTS = {"accept": "text/event-stream"}


class Site(LocalServer):
    """A web site whose every path has the page, until it is told otherwise."""

    def page(self, path: str, body: bytes = PAGE, content_type: str = "text/html; charset=utf-8", **more: Any) -> str:
        self.routes[path] = [http(body=body, **{"content_type": content_type, **more})]
        return self.url(path)

    def header(self, path: str, name: str) -> str | None:
        return next(each for each in reversed(self.received) if each.path == path).headers.get(name)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    thread = ServerThread()
    site = Site()
    thread.start(site)
    yield site
    thread.stop()


@pytest.fixture(scope="module")
def reads(make_app: Callable[..., Any]) -> Iterator[TestClient]:
    """A service that reaches the loopback interface."""
    app = make_app(allow_networks=("127.0.0.0/8",), allow_origins=("*",))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def url(site: Site, request: pytest.FixtureRequest) -> str:
    """The page, at a path of this test's own: others' copies of it do not count."""
    return site.page(f"/{abs(hash(request.node.nodeid))}/weather")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, answer by answer."""
    answers: dict[str, list[str]] = {}

    def look_up(host: str, _: int) -> list[str]:
        return [answers[host].pop(0) if host in answers else host]

    monkeypatch.setattr(names_module, "_look_up", look_up)
    return answers


def text_of(client: TestClient, url: str, **headers: str) -> str:
    answer = client.get(f"/r/{url}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert answer.status_code == 200, answer.text
    return answer.text


def data_of(client: TestClient, url: str, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.get(f"/r/{url}", headers=named | JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def events_of(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def assert_refused(answer: httpx.Response, status: int, number: int, name: str, *, path: str = "") -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"], body["name"]) == (status, status, number, name), body
    assert body["data"] is None
    assert body.get("path", "") == path
    assert body["readableMessage"] == f"{name}({path}): {body['message']}" if path else f"{name}: {body['message']}"
    return body


# One page, in each form.


def test_a_page_as_text(reads, url):
    answer = reads.get(f"/r/{url}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    head, _, content = answer.text.partition("Markdown Content:\n")
    assert head == f"Title: Weather\n\nURL Source: {url}\n\nPublished Time: {PUBLISHED}\n\n"
    assert content.startswith("It rains **today**")
    assert content.endswith("\n")
    tokens = Segmenter(tokenizer="cl100k_base").count(content.removesuffix("\n"))
    assert answer.headers["x-usage-tokens"] == str(tokens)


def test_the_same_page_as_json(reads, url):
    answer = reads.get(f"/r/{url}", headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"code", "status", "data", "meta"}
    assert (body["code"], body["status"]) == (200, 20000)
    data = body["data"]
    assert data.keys() == {
        "title", "description", "url", "publishedTime", "content", "metadata", "external", "usage",
    }  # fmt: skip
    assert (data["title"], data["description"], data["url"]) == ("Weather", "What comes down.", url)
    assert data["publishedTime"] == PUBLISHED
    assert data["metadata"]["description"] == "What comes down."
    assert [*data["external"]["icon"]] == [url.rpartition("/")[0].rpartition("/")[0] + "/icon.png"]
    assert text_of(reads, url).partition("Markdown Content:\n")[2] == f"{data['content']}\n"
    assert (
        body["meta"]["usage"] == data["usage"] == {"tokens": Segmenter(tokenizer="cl100k_base").count(data["content"])}
    )


def test_the_same_page_as_events(reads, url):
    answer = reads.get(f"/r/{url}", headers=EVENTS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    assert {name for name, _ in events} == {"data"}
    assert events[-1][1] == data_of(reads, url)


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "text/html,application/xhtml+xml", ""])
def test_text_where_nothing_else_is_asked_for(reads, url, accept):
    assert reads.get(f"/r/{url}", headers={"accept": accept}).text.startswith("Title: Weather")


def test_json_by_its_other_name(reads, url):
    assert reads.get(f"/r/{url}", headers={"accept": "text/json"}).json()["data"]["title"] == "Weather"


@pytest.mark.parametrize("write", [quote, lambda url: quote(url, safe=""), lambda url: url.removeprefix("http://")])
def test_ways_to_write_a_url(reads, site, write):
    url = site.page("/with/query?a=b%20c&d")
    assert (
        reads.get(f"/r/{write(url)}" if write is not quote else f"/r/{url}", headers=JSON).json()["data"]["url"] == url
    )


def test_by_the_name_of_the_host(reads, url):
    named = {"host": "r.example.com"}
    assert reads.get(f"/{url}", headers=named).text == text_of(reads, url)
    assert reads.get(f"/https://r.example.com/{url}", headers=named).text == text_of(reads, url)
    assert "http://r.example.com/YOUR_URL" in reads.get("/", headers=named).text


def test_how_to_use_it(reads):
    text = reads.get("/r/").text
    assert [line.split("] ")[0] for line in text.splitlines()] == ["[Usage 1", "[Usage 2", "[Homepage"]
    assert "http://testserver/r/YOUR_URL" in text
    assert reads.get("/r", headers=JSON).json()["data"].keys() == {"usage1", "usage2", "homepage"}


def test_questions_of_browsers_are_answered(reads, url):
    preflight = {"origin": "https://app.test", "access-control-request-method": "POST"}
    answer = reads.options(f"/r/{url}", headers=preflight | {"access-control-request-headers": "x-engine"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    for asked in ("/r", "/r/", f"/r/{url}", "/s/", "/s/sea", "/g/", "/g/It rains.", "/svip/"):
        assert reads.options(asked).headers["allow"] == "GET, POST, OPTIONS"
    assert reads.get(f"/r/{url}", headers={"origin": "https://app.test"}).headers["access-control-allow-origin"] == "*"


# Bodies.


@pytest.mark.parametrize("kind", ["json", "data", "multipart", "path"])
def test_a_url_and_options_in_a_body(reads, site, url, kind):
    fields = {"url": url, "retainLinks": "none", "userAgent": "Bot/1"}
    if kind == "path":
        answer = reads.post(f"/r/{url}", json={"retainLinks": "none", "userAgent": "Bot/1"})
    elif kind == "multipart":
        answer = reads.post("/r/", files={name: (None, value) for name, value in fields.items()})
    else:
        answer = reads.post("/r/", **{kind: fields})
    assert answer.status_code == 200, answer.text
    assert "It rains" in answer.text
    assert "forecast" not in answer.text
    assert site.header(url.removeprefix(site.url("")), "user-agent") == "Bot/1"


def test_html_that_is_sent(reads):
    sent = {"html": "<title>Sent</title><p>See <a href=b>this</a>.</p>", "url": "https://example.com/a"}
    body = reads.post("/r/", json=sent, headers=JSON).json()
    assert body["data"]["content"] == "See [this](https://example.com/b)."
    assert body["data"]["url"] == "https://example.com/a"
    alone = reads.post("/r", data={"html": sent["html"]}, headers=JSON).json()
    assert (alone["data"]["title"], alone["data"]["url"]) == ("Sent", "")


@pytest.mark.parametrize("field", ["pdf", "file"])
@pytest.mark.parametrize("way", ["upload", "base64", "data URI"])
def test_a_pdf_that_is_sent(reads, make_pdf, field, way):
    pdf = make_pdf(["The first page.", "The second."]).read_bytes()
    if way == "upload":
        answer = reads.post("/r/", files={field: ("a.pdf", pdf, "application/octet-stream")}, headers=JSON)
    else:
        coded = base64.b64encode(pdf).decode()
        coded = coded if way == "base64" else f"data:application/pdf;base64,{coded}"
        answer = reads.post("/r/", json={field: coded}, headers=JSON)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert "The second." in data["content"]
    assert data["numPages"] == 2


@pytest.mark.parametrize("accept", [JSON, EVENTS, {}])
def test_half_a_character_is_no_text(reads, accept):
    sent = {"file": ("a.json", b'{"title": "half \\ud800, whole \\ud83c\\udf27"}', "application/json")}
    answer = reads.post("/r/", files=sent, headers=accept)
    assert answer.status_code == 200
    assert "half \ufffd, whole \N{CLOUD WITH RAIN}" in answer.text


def test_a_pdf_as_text_tells_its_pages(reads, make_pdf, site):
    url = site.page("/a.pdf", make_pdf(["One.", "Two."]).read_bytes(), "application/pdf")
    assert "\n\nNumber of Pages: 2\n\nMarkdown Content:\n" in text_of(reads, url)
    assert "Two." not in reads.post("/r/", json={"url": f"{url}#1"}).text


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"json": {}}, "url"),
        ({"json": {"url": 1}}, "url"),
        ({"json": {"html": 1}}, "html"),
        ({"json": {"pdf": "no base64!"}}, "pdf"),
        ({"json": {"pdf": "é"}}, "pdf"),
        ({"files": {"timeout": ("a.txt", b"5")}}, "timeout"),
        ({"files": {"url": ("a.txt", b"http://example.com")}}, "url"),
        ({"json": {"file": ["a"]}}, "file"),
        ({"json": ["http://example.com"]}, "body"),
        ({"content": b"{"}, "body"),
        ({"content": b"\xff\xfe"}, "body"),
        ({"data": {"url": ""}}, "url"),
        ({"json": {"url": "http://example.com", "timeout": 0}}, "timeout"),
    ],
)
def test_bodies_that_do_not_fit(reads, sent, path):
    assert_refused(reads.post("/r/", headers=JSON, **sent), 400, 40001, "ParamValidationError", path=path)


def test_a_form_that_is_cut_off(reads):
    broken = {"content-type": "multipart/form-data; boundary=x"}
    answer = reads.post("/r/", content=b'--x\r\nContent-Disposition: form-data; name="url"\r\n', headers=JSON | broken)
    assert answer.status_code == 400
    assert answer.json()["status"] in (40001, 40003)


# What options do.


def test_formats(reads, url):
    assert "Home" not in text_of(reads, url)
    assert "Home" in text_of(reads, url, x_respond_with="markdown")
    html = text_of(reads, url, x_respond_with="html")
    assert html.startswith("<html")
    assert html == data_of(reads, url, x_respond_with="html")["html"]
    plain = text_of(reads, url, x_return_format="text")
    assert "It rains today and tomorrow, says the forecast" in plain
    assert plain == data_of(reads, url, x_respond_with="text")["text"]
    assert text_of(reads, url, x_respond_with="datetime") == PUBLISHED


def test_several_formats(reads, site, url):
    data = data_of(reads, url, x_respond_with="markdown+html+text", x_no_cache="true")
    assert data["content"].startswith("[Home]")
    assert data["html"].startswith("<html")
    assert data["text"].startswith("Home")
    counter = Segmenter(tokenizer="cl100k_base")
    assert data["usage"]["tokens"] == sum(counter.count(data[key]) for key in ("content", "html", "text"))
    assert site.paths().count(url.removeprefix(site.url(""))) == 1
    assert events_of(reads.get(f"/r/{url}", headers=EVENTS | {"x-respond-with": "markdown+html"}).text)[-1][1]["html"]
    refused = reads.get(f"/r/{url}", headers={"x-respond-with": "markdown+html"})
    assert (refused.status_code, refused.text.startswith("ParamValidationError(respondWith)")) == (400, True)


def test_selectors(reads, url):
    assert data_of(reads, url, x_target_selector="ul, h2")["content"] == "## Rain\n\n- drizzle\n- shower"
    assert "drizzle" not in text_of(reads, url, x_remove_selector="ul")
    nothing = reads.get(f"/r/{url}", headers=JSON | {"x-target-selector": "#none"})
    assert_refused(nothing, 422, 42206, "AssertionFailureError")


def test_images(reads, url, site):
    root = site.url("")
    content = data_of(reads, url)["content"]
    assert f"falls ![Image 1: drops]({root}/rain.png) from" in content
    assert f"![Image 2]({root}/sun.png)" in content
    assert "falls (Image 1: drops) from" in data_of(reads, url, x_retain_images="alt")["content"]
    assert "Image" not in data_of(reads, url, x_retain_images="none")["content"]
    assert "](blob:" in content
    assert f"({PIXEL})" in data_of(reads, url, x_keep_img_data_url="true")["content"]


def test_summaries(reads, url, site):
    root, here = site.url(""), url.removesuffix("weather")
    data = data_of(reads, url, x_with_links_summary="true", x_with_images_summary="true")
    assert data["links"] == {"the forecast": f"{here}more?a=1"}
    assert [(label, src) for label, src in data["images"].items() if src.startswith("http")] == [
        ("Image 1,3: drops", f"{root}/rain.png"),
        ("Image 2", f"{root}/sun.png"),
    ]
    assert "Links/Buttons" not in data["content"]
    every = data_of(reads, url, x_with_links_summary="all")["links"]
    assert every == [["the forecast", f"{here}more?a=1"], ["the same forecast", f"{here}more?a=1"]]
    text = text_of(reads, url, x_with_links_summary="true", x_with_images_summary="true")
    blocks = text.partition("Markdown Content:\n")[2].removeprefix(f"{data['content']}\n\n")
    assert blocks.startswith(f"Images:\n- ![Image 1,3: drops]({root}/rain.png)\n- ![Image 2]({root}/sun.png)\n")
    assert blocks.endswith(f"\n\nLinks/Buttons:\n- [the forecast]({here}more?a=1)\n")


def test_summaries_of_nothing(reads, site):
    url = site.page("/bare", b"<title>T</title><p>Nothing but a few words here.</p>")
    text = text_of(reads, url, x_with_links_summary="true", x_with_images_summary="true")
    assert "Images:\nThis page does not seem to contain any images.\n\nLinks/Buttons:\nThis page does not seem" in text


def test_links(reads, url):
    assert "says the forecast, and" in data_of(reads, url, x_retain_links="text")["content"]
    assert "forecast" not in data_of(reads, url, x_retain_links="none")["content"]
    cited = data_of(reads, url, x_retain_links="gpt-oss")
    assert "says 【1†the forecast】, and" in cited["content"]
    assert "【1†the same forecast】" in cited["content"]
    assert cited["links"] == {"1": url.replace("weather", "more?a=1")}


def test_styles_of_markdown(reads, url):
    def content(**headers: str) -> str:
        return data_of(reads, url, **headers)["content"]

    assert "Rain\n----" in content(x_md_heading_style="setext")
    assert "\n* * *\n" in content(x_md_hr="* * *")
    assert "+ drizzle" in content(x_md_bullet_list_marker="+")
    assert "_tomorrow_" in content(x_md_em_delimiter="_")
    assert "__today__" in content(x_md_strong_delimiter="__")
    assert "[the forecast][1]" in content(x_md_link_style="referenced")
    assert "[the forecast]," in content(x_md_link_style="referenced", x_md_link_reference_style="shortcut")
    assert "says the forecast," in content(x_md_link_style="discarded")
    assert "| Day | mm |" in content()
    assert "<table>" in content(x_no_gfm="true")
    assert "<table>" in content(x_no_gfm="table")


def test_chunks(reads, url):
    text = text_of(reads, url, x_markdown_chunking="true").partition("Markdown Content:\n")[2]
    chunks = data_of(reads, url, x_markdown_chunking="h2")["chunks"]
    assert [chunk.partition("\n")[0] for chunk in chunks] == [chunks[0].partition("\n")[0], "## Rain"]
    assert chunks[0].startswith("It rains")
    assert text == "\n\n\x1d".join(chunks) + "\n"
    structured = data_of(reads, url, x_respond_with="markdown", x_markdown_chunking="structured")["chunks"]
    assert structured[-1].startswith("# Weather\n\n## Rain")


def test_tokens(reads, site):
    url = site.page("/long", b"<title>T</title><main>" + b"<p>One more line of many words.</p>" * 300 + b"</main>")
    whole = data_of(reads, url)
    cut = data_of(reads, url, x_max_tokens="500")
    assert cut["usage"]["tokens"] == 500
    assert whole["content"].startswith(cut["content"])
    assert "500 of its" in cut["warning"]
    tokens = whole["usage"]["tokens"]
    assert data_of(reads, url, x_token_budget=str(tokens))["usage"]["tokens"] == tokens
    for accept in (JSON, EVENTS):
        over = reads.get(f"/r/{url}", headers=accept | {"x-token-budget": str(tokens - 1)})
        body = over.json() if accept == JSON else events_of(over.text)[0][1]
        assert (over.status_code, body["status"], body["name"]) == (409, 40904, "BudgetExceededError")


def test_overlays(reads, site):
    url = site.page("/overlay")
    assert "cookies" in text_of(reads, url, x_respond_with="markdown")
    assert "cookies" not in text_of(reads, url, x_respond_with="markdown", x_remove_overlay="true")


def test_base(reads, site):
    site.routes["/old/a"] = [http(302, location="/new/a")]
    site.page("/new/a")
    url = site.url("/old/a")
    assert f"({site.url('/old/more?a=1')})" in text_of(reads, url)
    assert f"({site.url('/new/more?a=1')})" in text_of(reads, url, x_base="final")


@pytest.mark.parametrize(
    ("sent", "name", "received"),
    [
        ({"x-user-agent": "Bot/1"}, "user-agent", "Bot/1"),
        ({"x-referer": "http://from.test/"}, "referer", "http://from.test/"),
        ({"x-locale": "de-DE"}, "accept-language", "de-DE"),
        ({"accept-language": "fr-FR,fr;q=0.5"}, "accept-language", "fr-FR"),
        ({"x-set-cookie": "a=1; Path=/, b=2"}, "cookie", "b=2; a=1"),
    ],
)
def test_what_the_site_is_sent(reads, site, url, sent, name, received):
    assert reads.get(f"/r/{url}", headers=sent).status_code == 200
    assert site.header(url.removeprefix(site.url("")), name) == received


def test_headers_of_ones_own(reads, site, url):
    assert reads.post("/r/", json={"url": url, "customHeader": {"X-Token": "secret"}}).status_code == 200
    assert site.header(url.removeprefix(site.url("")), "x-token") == "secret"
    for headers in ({"Host": "other"}, {"X-A": "b\r\nX-B: c"}):
        answer = reads.post("/r/", json={"url": url, "customHeader": headers}, headers=JSON)
        assert_refused(answer, 400, 40001, "ParamValidationError")


def test_copies(reads, site, url):
    path = url.removeprefix(site.url(""))
    for headers, fetched in (({}, 1), ({}, 1), ({"x-no-cache": "true"}, 2), ({"x-cache-tolerance": "0"}, 3), ({}, 3)):
        assert reads.get(f"/r/{url}", headers=headers).status_code == 200
        assert site.paths().count(path) == fetched


def test_no_copy_is_kept_where_none_may_be(reads, site, url):
    for fetched in (1, 2):
        assert reads.get(f"/r/{url}", headers={"dnt": "1"}).status_code == 200
        assert site.paths().count(url.removeprefix(site.url(""))) == fetched


# What is refused.


@pytest.mark.parametrize(
    "wrong", ["file:///etc/passwd", "ftp://example.com/", "data:text/html,x", "javascript:alert(1)", "http://"]
)
def test_what_is_no_url_of_the_web(reads, wrong):
    body = assert_refused(reads.get(f"/r/{wrong}", headers=JSON), 400, 40001, "ParamValidationError", path="url")
    assert "root:" not in str(body)


@pytest.mark.parametrize("accept", [JSON, EVENTS, {}])
def test_an_error_in_each_form(reads, accept):
    answer = reads.get("/r/ftp://example.com", headers=accept)
    assert answer.status_code == 400
    line = "ParamValidationError(url): url must be an http or https URL, got one of 'ftp'."
    if accept == JSON:
        assert answer.json()["readableMessage"] == line
    elif accept == EVENTS:
        assert [(name, data["readableMessage"]) for name, data in events_of(answer.text)] == [("error", line)]
    else:
        assert answer.text == line


def test_paths_are_hosts_and_never_files(reads, monkeypatch):
    looked_up = []

    def look_up(host: str, _: int) -> list[str]:
        looked_up.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(names_module, "_look_up", look_up)
    for wrote in ("etc/passwd", "/etc/passwd", "%2Fetc%2Fpasswd"):
        answer = reads.get(f"/r/{wrote}", headers=JSON)
        body = assert_refused(answer, 400, 40001, "ParamValidationError", path="url")
        assert "'etc'" in body["message"]
    assert set(looked_up) == {"etc"}


def test_names_that_no_standard_allows_are_looked_up_all_the_same(reads, site, names):
    site.page("/heart")
    names["xn--i-7iq.ws"] = ["127.0.0.1"]  # as some are registered
    assert "It rains" in text_of(reads, site.url("/heart", host="xn--i-7iq.ws"))


@pytest.mark.parametrize("engine", ["auto", "direct", "browser"])
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
        "http://[::1]/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:169.254.169.254]/",
    ],
)  # fmt: skip
def test_what_is_not_public(client, target, engine):
    answer = client.get(f"/r/{target}", headers=JSON | {"x-engine": engine})
    assert "URLGuard" not in assert_refused(answer, 451, 45102, "SecurityCompromiseError")["message"]


@pytest.mark.parametrize("accept", [JSON, EVENTS, {}])
def test_names_of_what_is_not_public(client, names, accept):
    names["intranet.test"] = ["10.0.0.1"] * 3
    answer = client.get("/r/http://intranet.test/", headers=accept)
    assert answer.status_code == 451
    assert "intranet.test is refused: it leads to no public address." in answer.text
    assert "10.0.0.1" not in answer.text


def test_a_name_that_changes_once_it_was_checked(reads, site, names):
    site.page("/rebind")
    names["rebind.test"] = ["127.0.0.1", "10.0.0.1"]
    assert "It rains" in text_of(reads, site.url("/rebind", host="rebind.test"))
    assert names["rebind.test"] == ["10.0.0.1"]  # never asked for


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "file:///etc/passwd"]
)
def test_redirects_to_what_is_not_public(reads, site, url, target):
    path = url.removeprefix(site.url(""))
    site.routes[path] = [http(302, location=target)]
    answer = reads.get(f"/r/{url}", headers=JSON)
    assert_refused(answer, 451, 45102, "SecurityCompromiseError")


def test_the_service_itself_is_not_read(reads):
    answer = reads.get("/r/http://testserver/health", headers=JSON)
    assert_refused(answer, 400, 40001, "ParamValidationError", path="url")


def test_robots(reads, site):
    thread = ServerThread()
    closed = thread.start(LocalServer(routes={"/robots.txt": [http(body=b"User-agent: *\nDisallow: /")]}))
    closed.routes["/"] = [http(body=PAGE, content_type="text/html")]
    try:
        answer = reads.get(f"/r/{closed.url('/')}", headers=JSON | {"x-robots-txt": "mybot"})
        assert_refused(answer, 409, 40902, "ResourcePolicyDenyError")
        assert closed.paths() == ["/robots.txt"]
        assert reads.get(f"/r/{closed.url('/')}").status_code == 200
    finally:
        thread.stop()


def test_a_page_of_an_error_is_read_with_a_warning(reads, site):
    site.routes["/gone"] = [http(404, PAGE, content_type="text/html")]
    data = data_of(reads, site.url("/gone"))
    assert "404" in data["warning"]
    assert "\n\nWarning: The target answered with status 404.\n\n" in text_of(reads, site.url("/gone"))


@pytest.mark.parametrize(
    ("answered", "status", "number", "name"),
    [
        (http(body=b"", content_type="text/html"), 422, 42206, "AssertionFailureError"),
        (http(body=b"\x89PNG\r\n\x1a\n\0\0", content_type="image/png"), 422, 42206, "AssertionFailureError"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 422, 42206, "AssertionFailureError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx", 413, 41302, "TargetFileTooLargeError"),
    ],
)
def test_targets_that_give_nothing(reads, site, url, answered, status, number, name):
    site.routes[url.removeprefix(site.url(""))] = [answered]
    assert_refused(reads.get(f"/r/{url}", headers=JSON | {"x-timeout": "1"}), status, number, name)


def test_a_target_that_takes_too_long(reads, site, url):
    async def wait(_: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    site.routes[url.removeprefix(site.url(""))] = wait
    answer = reads.get(f"/r/{url}", headers=JSON | {"x-timeout": "1", "x-engine": "direct"})
    assert_refused(answer, 422, 42206, "AssertionFailureError")


@pytest.mark.parametrize(
    ("headers", "body", "path"),
    [
        ({"x-with-generated-alt": "true"}, {}, "withGeneratedAlt"),
        ({"x-retain-images": "all_p"}, {}, "withGeneratedAlt"),
        ({"x-respond-with": "readerlm-v2"}, {}, "respondWith"),
        ({}, {"instruction": "the price"}, "instruction"),
        ({}, {"jsonSchema": {"type": "object"}}, "jsonSchema"),
        ({"x-respond-with": "no-content"}, {}, "respondWith"),
    ],
)
def test_models_that_are_not_there(reads, url, headers, body, path):
    answer = reads.post("/r/", json={"url": url, **body}, headers=headers | JSON)
    assert_refused(answer, 400, 40001, "ParamValidationError", path=path)


def test_models_that_are_there(make_app, site, url, tmp_path):
    fetcher = loopback_fetcher()
    with_pixels = site.page(
        "/picture", b"<title>T</title><main><p>Words.</p><img src=/a.png width=99 height=99></main>"
    )
    png = io.BytesIO()
    PIL.Image.new("RGB", (99, 99), "navy").save(png, "PNG")
    site.page("/a.png", png.getvalue(), "image/png")
    components = Components(
        ServiceSettings(data=tmp_path, read_pages=False, warm_up=()),
        chat=FakeChat(lambda _: '{"rain": "today"}'),
        captioner=FakeChat(lambda _: "A navy square."),
        fetcher=fetcher,
    )
    with TestClient(make_app(components=components), raise_server_exceptions=False) as client:
        data = client.post("/r/", json={"url": url, "instruction": "When?"}, headers=JSON).json()["data"]
        assert json.loads(data["content"]) == {"rain": "today"}
        for headers in ({"x-with-generated-alt": "true"}, {"x-retain-images": "all_p"}):
            assert "![Image 1: A navy square.](" in client.get(f"/r/{with_pixels}", headers=headers).text
    run_sync(fetcher.aclose())


@settings(max_examples=80)
@given(
    st.dictionaries(
        st.sampled_from([each.key for each in OPTIONS if each.key != "engine"]),
        st.none()
        | st.booleans()
        | st.integers(-5, 700)
        | st.text(max_size=8)
        | st.sampled_from(["true", "all", "text", "html", "none", "h2", "s1", "p", "*", "final", "gpt-oss"])
        | st.lists(st.text(max_size=4), max_size=2)
        | st.dictionaries(st.sampled_from(["width", "hr", "X-A", "linkStyle"]), st.text(max_size=4), max_size=2),
        max_size=4,
    ),
    st.sampled_from([JSON, EVENTS, {}]),
)
def test_whatever_is_asked_of_html_it_is_answered_or_the_client_is_told_why(reads, body, accept):
    sent = {"url": "https://example.com/", **body, "html": PAGE.decode(), "engine": "direct"}
    answer = reads.post("/r/", json=sent, headers=accept)
    assert answer.status_code in (200, 400, 409, 422)
    if accept == EVENTS:
        assert events_of(answer.text)[-1][0] == ("data" if answer.status_code == 200 else "error")


def test_other_methods(reads):
    assert_refused(reads.put("/r/http://example.com", headers=JSON), 405, 40501, "MethodNotAllowedError")


# What comes of a page.


def test_pages_are_found_again_unless_they_are_not_to_be(make_app, site):
    app = make_app(allow_networks=("127.0.0.0/8",))
    components: Components = app.state.components
    read = [site.page(f"/remembered/{number}") for number in range(9)]
    site.routes["/remembered/no"] = [http(404, PAGE, content_type="text/html")]
    with TestClient(app, raise_server_exceptions=False) as client:
        for url, headers in zip(
            read,
            (
                {}, EVENTS, {"x-retain-links": "text"},
                # And these are nobody else's, or nothing to search in.
                {"dnt": "1"}, {"x-set-cookie": "session=1"}, {"x-respond-with": "html"}, {"x-token-budget": "1"},
                # Or a part of it, or more than its content.
                {"x-target-selector": "p"}, {"x-respond-with": "text"},
            ),
            strict=True,
        ):  # fmt: skip
            client.get(f"/r/{url}", headers=headers)
        client.post("/r/", json={"url": site.page("/remembered/own"), "customHeader": {"Authorization": "Bearer a"}})
        client.post("/r/", json={"html": PAGE.decode(), "url": "https://example.com/"})
        assert client.get(f"/r/{site.url('/remembered/no')}").status_code == 200
        assert components.pages.num_waiting == 3
        client.get(f"/r/{read[0]}")
        assert components.pages.num_waiting == 3


def test_a_part_of_a_page_hides_nothing_of_what_is_known_of_it(make_app, site):
    app = make_app(allow_networks=("127.0.0.0/8",))
    url = site.page("/remembered/whole")
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get(f"/r/{url}")
        before = client.get("/s/rain", headers=JSON).json()["data"]
        for headers in ({"x-target-selector": "h1"}, {"x-respond-with": "text"}, {"x-retain-links": "none"}):
            assert client.get(f"/r/{url}", headers=headers).status_code == 200
            assert client.get("/s/rain", headers=JSON).json()["data"] == before
    assert [each["url"] for each in before] == [url]


def test_nothing_is_remembered_where_the_service_is_not_to(make_app, site):
    app = make_app(allow_networks=("127.0.0.0/8",), read_pages=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get(f"/r/{site.page('/forgotten')}").status_code == 200
        assert "pages" not in vars(app.state.components)


@pytest.mark.parametrize("accept", [JSON, EVENTS])
def test_a_client_that_goes_away_ends_the_reading(make_app, start_service, site, url, accept):
    begun, ended = threading.Event(), threading.Event()

    async def wait(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        begun.set()
        while not writer.transport.is_closing():
            writer.write(b"x-a: b\r\n")
            await asyncio.sleep(0.05)
        ended.set()

    site.routes[url.removeprefix(site.url(""))] = wait
    service = start_service(make_app(allow_networks=("127.0.0.0/8",)))

    async def leave() -> None:
        async with httpx.AsyncClient() as client:
            asking = asyncio.create_task(client.get(f"{service}/r/{url}", headers=accept | {"x-engine": "direct"}))
            assert await asyncio.to_thread(begun.wait, 30)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert await asyncio.to_thread(ended.wait, 20)

    asyncio.run(leave())


def test_what_fails_again_and_again_is_left_alone(make_app, site):
    app = make_app(allow_networks=("127.0.0.0/8",))
    site.routes["/down"] = [http(302, location="/down")]
    down, ann = f"/r/{site.url('/down')}", JSON | {"authorization": "Bearer ann"}
    with TestClient(app, raise_server_exceptions=False) as client:
        for accept in (ann, ann | EVENTS) * 5:
            assert client.get(f"{down}#part", headers=accept | {"x-engine": "direct"}).status_code == 422
        for accept in (ann, ann | EVENTS):
            refused = client.get(down, headers=accept)
            assert refused.status_code == 403
            assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert_refused(client.get(down, headers=ann), 403, 40301, "OperationNotAllowedError")
        # Others are none the worse for it, and other pages neither.
        assert client.get(down, headers=JSON | {"x-engine": "direct"}).status_code == 422
        assert client.get(f"/r/{site.page('/up')}", headers=ann).status_code == 200


def test_over_a_real_connection(make_app, start_service, site):
    url = site.page("/real?a=b&c")
    service = start_service(make_app(allow_networks=("127.0.0.0/8",)))
    assert f"URL Source: {url}\n" in httpx.get(f"{service}/r/{url}").text
    assert httpx.get(f"{service}/r/{service}/health", headers=JSON).json()["path"] == "url"
    assert events_of(httpx.get(f"{service}/r/{url}", headers=EVENTS).text)[-1][1]["url"] == url
