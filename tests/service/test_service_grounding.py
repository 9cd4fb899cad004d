from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import LocalServer, ServerThread, http
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from jina_components.grounder.sources import sort_references
from jina_components.service import Components, ServiceSettings
from jina_components.service.errors import Problem
from jina_components.service.wire.grounding import ground_request
from jina_components.types import SearchResult
from jina_components.web_search import Capabilities

JSON = {"Accept": "application/json"}
EVENTS = {"Accept": "text/event-stream"}
TRUE = "The Harbour Bridge was opened in 1932."
FALSE = "The Harbour Bridge was opened in 1952."
STAGES = ["claims", "queries", "search", "read", "passages", "judge"]


def article(title, text):
    body = f"<html><head><title>{title}</title></head><body><article><p>{text}</p></article></body></html>"
    return http(body=body.encode(), content_type="text/html; charset=utf-8")


class Engine:
    """A search engine that finds the same whatever it is asked, and keeps how it was asked."""

    name = "engine"
    capabilities = Capabilities(kinds={"web": 100})

    def __init__(self, *results):
        self.results = results
        self.asked = []

    async def search(self, query, options):
        self.asked.append((query, options))
        return list(self.results)


@pytest.fixture(scope="module")
def site():
    thread = ServerThread()
    site = thread.start(LocalServer())
    site.routes |= {
        "/bridge": [
            article(
                "The Harbour Bridge",
                "The Harbour Bridge was opened in March 1932 after eight years of work. It carries trains and cars "
                "over the harbour. Its arch is made of steel, and about a thousand people built it.",
            )
        ],
        "/rain": [article("Rain", "Rain is water that falls from clouds. It is measured in millimetres.")],
    }
    yield site
    thread.stop()


@pytest.fixture(scope="module")
def engine(site):
    return Engine(SearchResult(site.url("/bridge"), "The bridge"), SearchResult(site.url("/rain"), "Rain"))


@pytest.fixture(scope="module")
def service(make_app, tmp_path_factory, engine):
    made = ServiceSettings(data=tmp_path_factory.mktemp("g"), warm_up=(), allow_networks=("127.0.0.0/8",))
    app = make_app(components=Components(made, providers=[engine]))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def data_of(answer):
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["code"], body["status"]) == (200, 20000)
    return body["data"]


def refused(answer, path):
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (body["name"], body["status"], body["path"]) == ("ParamValidationError", 40001, path)
    return body["message"]


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_true_and_false(service, site):
    supported = data_of(service.get(f"/g/{quote(TRUE, safe='')}", headers=JSON))
    assert list(supported) == ["factuality", "result", "verdict", "reason", "references", "usage"]
    assert supported["result"] is True
    assert 0.5 < supported["factuality"] <= 1
    assert supported["usage"]["tokens"] > 0
    assert supported["references"]
    for reference in supported["references"]:
        assert list(reference) == ["url", "keyQuote", "isSupportive"]
        assert reference["isSupportive"] is True
        assert reference["url"] == site.url("/bridge")
    assert any("opened in March 1932" in each["keyQuote"] for each in supported["references"])
    refuted = data_of(service.post("/g/", json={"statement": FALSE}, headers=JSON))
    assert (refuted["result"], refuted["verdict"]) == (False, "refuted")
    assert refuted["factuality"] < 0.5
    assert any(each["isSupportive"] is False for each in refuted["references"])


def test_text(service, site):
    answer = service.get(f"/g/{quote(TRUE)}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert int(answer.headers["x-usage-tokens"]) > 0
    head, first = answer.text.split("\n\n")[:2]
    assert [line.split(":")[0] for line in head.split("\n")] == ["Factuality", "Result", "Verdict", "Reason"]
    assert "\nResult: true\nVerdict: supported\n" in head
    assert first.strip().split("\n")[0] == f"[1] URL Source: {site.url('/bridge')}"
    assert first.split("\n")[1].startswith("[1] Key Quote: ")
    assert "[1] Supportive: true" in first


def test_steps_are_events_and_the_last_is_the_verdict(service):
    answer = service.get(f"/g/{quote(TRUE)}", headers=EVENTS)
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    told = [(head.removeprefix("event: "), json.loads(body.removeprefix("data: "))) for head, body in blocks]
    assert [name for name, _ in told] == ["step"] * (len(told) - 1) + ["data"]
    stages = list(dict.fromkeys(data["stage"] for name, data in told if name == "step"))
    assert stages == STAGES
    assert told[-1][1] == data_of(service.get(f"/g/{quote(TRUE)}", headers=JSON))


@pytest.mark.parametrize(
    "ask",
    [
        lambda service, said: service.get(f"/g/{quote(said, safe='')}", headers=JSON),
        lambda service, said: service.post(f"/g/{quote(said, safe='')}", headers=JSON),
        lambda service, said: service.get("/g/", params={"statement": said}, headers=JSON),
        lambda service, said: service.post("/g", json={"statement": said}, headers=JSON),
        lambda service, said: service.post("/g/", data={"statement": said}, headers=JSON),
        lambda service, said: service.get(f"/{quote(said, safe='')}", headers=JSON | {"Host": "g.check.example"}),
        lambda service, said: service.post("/", json={"statement": said}, headers=JSON | {"Host": "g.check.example"}),
        # the mark of a question, as somebody writes it
        lambda service, said: service.get(f"/g/{quote(said, safe='?')}", headers=JSON),
    ],
)
def test_ways_to_ask(service, ask):
    said = "Is it 50% and/or 3 km long?\nIt spans the é-Bay and was opened in 1932."
    told = data_of(ask(service, said))
    assert told == data_of(service.post("/g/", json={"statement": said}, headers=JSON))
    assert told["references"]


def test_asked_for_nothing_it_tells_how_to_ask(service):
    for asked in ({}, {"deepdive": "true"}):
        told = service.get("/g/", params=asked).text
        assert told.startswith("[Usage 1] http://testserver/g/YOUR_STATEMENT\n[Usage 2] POST ")
    assert data_of(service.post("/g/", json={}, headers=JSON))["homepage"] == "http://testserver/docs"


@given(st.text() | st.from_regex(r"\A[a-z0-9./:\\~ -]{1,30}\Z"))
def test_whatever_is_named_is_a_page_or_a_host(named):
    """The Grounder takes no reference of a client's for a text of its own, nor for anything but http(s)."""
    try:
        asked = ground_request({"statement": TRUE, "references": [named]}, Headers())
    except Problem:
        return
    if asked.references is not None:
        wanted = sort_references(asked.references)
        assert (wanted.texts, wanted.hints) == ((), ())
        assert all(url.lower().startswith(("http://", "https://")) for url in wanted.urls)


# --- what it is checked by ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "say",
    [
        lambda url: {"json": {"statement": TRUE, "references": [url]}},
        lambda url: {"json": {"statement": TRUE, "references": f"{url}, "}},
        lambda url: {"data": {"statement": TRUE, "references": url}},
        lambda url: {"json": {"statement": TRUE}, "params": {"references": url}},
        lambda url: {"json": {"statement": TRUE}, "headers": {"X-References": url}},
    ],
)
def test_references_are_read_and_nobody_is_asked(service, site, engine, say):
    before = len(engine.asked)
    said = say(site.url("/rain"))
    told = data_of(service.post("/g/", **said | {"headers": JSON | said.get("headers", {})}))
    assert told["references"] == []
    assert told["result"] is False
    assert len(engine.asked) == before


def test_hosts_restrict_the_search(service, engine):
    told = data_of(service.post("/g/", json={"statement": TRUE, "references": ["example.com/docs"]}, headers=JSON))
    assert engine.asked[-1][1].sites == ("example.com/docs",)
    assert told["references"] == []
    assert "example.com/docs" in told["warning"]


@pytest.mark.parametrize(
    "reference",
    [
        "/etc/hostname", "file:///etc/hostname", "ftp://example.com/", "data:text/plain,opened in 1932",
        "The Harbour Bridge was opened in 1952.", "C:\\notes.txt", "../notes.txt", "localhost", "127.0.0.1", "~/.ssh",
        3, None, {"url": "https://example.com"}, ["https://example.com"],
    ],
)  # fmt: skip
def test_references_are_no_paths_and_no_texts(service, reference):
    asked = {"statement": TRUE, "references": ["https://example.com", reference]}
    refused(service.post("/g/", json=asked, headers=JSON), "references[1]")


def test_files_of_the_service_are_not_told_of(service, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("The Harbour Bridge was opened in 1952.")
    known, unknown = (
        service.post("/g/", json={"statement": TRUE, "references": [f"{name}.txt"]}, headers=JSON).text
        for name in ("notes", "other")
    )
    assert known.replace("notes.txt", "other.txt") == unknown


def test_what_is_not_public_is_not_read(service):
    asked = {"statement": TRUE, "references": ["http://169.254.169.254/latest"]}
    answer = service.post("/g/", json=asked, headers=JSON)
    assert (answer.status_code, answer.json()["status"]) == (451, 45102)
    proxied = service.post("/g/", json=asked, headers=JSON | {"X-Proxy-Url": "http://10.0.0.1:3128"})
    assert proxied.status_code == 451


def test_headers_reach_the_pages(service, site):
    before = len(site.received)
    asked = {"statement": TRUE, "references": [site.url("/rain")]}
    data_of(service.post("/g/", json=asked, headers=JSON | {"X-No-Cache": "true", "X-Locale": "de-DE"}))
    [received] = site.received[before:]
    assert received.headers["accept-language"].startswith("de-DE")


def test_diving_deep_reads_more(service, engine):
    for deep, count in ((False, 10), ("true", 20)):
        data_of(service.post("/g/", json={"statement": TRUE, "deepdive": deep}, headers=JSON))
        assert engine.asked[-1][1].count == count


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"statment": TRUE}, "statement"),
        ({"statement": ""}, "statement"),
        ({"statement": "x" * 10_001}, "statement"),
        ({"statement": 3}, "statement"),
        ({"statement": TRUE, "deepdive": [1]}, "deepdive"),
        ({"statement": TRUE, "references": {"a": "b"}}, "references"),
        ({"statement": TRUE, "references": ["https://example.com"] * 101}, "references"),
    ],
)
def test_what_makes_no_sense_is_named(service, asked, path):
    refused(service.post("/g/", json=asked, headers=JSON), path)


def test_pages_read_before_are_evidence_where_nobody_else_is_asked(make_app, site):
    with TestClient(make_app(allow_networks=("127.0.0.0/8",)), raise_server_exceptions=False) as client:
        for path in ("/bridge", "/rain"):
            assert client.get(f"/r/{site.url(path)}").status_code == 200
        told = data_of(client.post("/g/", json={"statement": TRUE}, headers=JSON))
    assert told["result"] is True
    assert told["references"][0]["url"] == site.url("/bridge")
