"""RemoteGrounder says what a Grounder says: on our own server, and by what Jina's answers."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from local_server import http, loopback_fetcher

from jina_components import Document, EntailmentScorer, Grounder, Reader, Reranker
from jina_components.errors import InputError, WebError
from jina_components.protocols import SupportsGround
from jina_components.remote import Remote, RemoteGrounder, RemoteReader, RemoteSearch
from jina_components.types import Page

TRUE, FALSE = "The Holm Bridge opened in 1952.", "The Holm Bridge opened in 1962."


@pytest.fixture
def grounder(service):
    with RemoteGrounder(Remote(service.url)) as grounder:
        yield grounder


def test_verdicts(service, grounder):
    found = grounder.ground(TRUE)
    assert (found.verdict, found.result, found.statement) == ("supported", True, TRUE)
    assert found.factuality > 0.5
    assert any("opened in 1952" in reference.key_quote for reference in found.references)
    against = grounder.ground(FALSE, references=[service.site.url("/bridge")])
    assert (against.verdict, against.result) == ("refuted", False)
    assert {reference.url for reference in against.references} == {service.site.url("/bridge")}
    assert isinstance(grounder, SupportsGround)


def test_as_a_grounder_here(service, grounder):
    url = service.site.url("/bridge")
    with Reader(fetcher=loopback_fetcher()) as reader:
        here = Grounder(entailment=EntailmentScorer(), reranker=Reranker(), reader=reader)
        expected = here.ground(FALSE, references=[url])
    found = grounder.ground(FALSE, references=[url])
    assert (found.verdict, found.reason) == (expected.verdict, expected.reason)
    assert found.factuality == pytest.approx(expected.factuality, abs=1e-6)
    assert [(each.key_quote, each.is_supportive) for each in found.references] == [
        (each.key_quote, each.is_supportive) for each in expected.references
    ]


def test_watched(grounder):
    steps = list(grounder.stream(TRUE))
    assert {"claims", "search", "judge"} <= {step.stage for step in steps}
    assert steps[-1].stage == "done"
    assert steps[-1].grounding == grounder.ground(TRUE)


def test_a_grounder_here_over_a_remote_search_and_reader(service):
    remote = Remote(service.url)
    with RemoteSearch(remote) as search, RemoteReader(remote) as reader:
        here = Grounder(search, entailment=EntailmentScorer(), reranker=Reranker(), reader=reader)
        assert here.ground(FALSE).verdict == "refuted"
        reading = Grounder(search, entailment=EntailmentScorer(), reranker=Reranker())
        assert reading.ground(TRUE).verdict == "supported"


@pytest.mark.parametrize(
    "references",
    [["A text of one's own, which no wire takes."], [Document("A text.")], [Path("ledger.pdf")],
     [Page("https://example.com", "Title", "A text.")], ["ftp://example.com/a"], ["https://example.com", ""], [3]],
)  # fmt: skip
def test_references_that_cannot_be_sent(grounder, references):
    with pytest.raises(InputError, match=r"references\[\d\] must be a URL or a host") as caught:
        grounder.ground(TRUE, references=references)
    assert caught.value.index == len(references) - 1


@pytest.mark.parametrize("references", ["https://example.com", [], 3])
def test_references_that_are_no_list(grounder, references):
    with pytest.raises(InputError, match="references"):
        grounder.ground(TRUE, references=references)


@pytest.mark.parametrize("statement", ["", "  ", None, "x" * 10_001])
def test_statements_that_are_none(grounder, statement):
    with pytest.raises(InputError, match="statement"):
        grounder.ground(statement)


DOCUMENTED = {
    "factuality": 0.95,
    "result": True,
    "reason": "The statement is supported by multiple references.",
    "references": [
        {"url": "https://jina.ai/", "keyQuote": "Founded in 2020.", "isSupportive": True},
        {"url": "https://example.com/", "keyQuote": "Founded in 2019.", "isSupportive": False},
    ],
    "usage": {"tokens": 112073},
}


def test_what_jina_answers(server):
    server.routes["/g/"] = [_answer(DOCUMENTED)]
    with RemoteGrounder(Remote(server.url(""), api_key="s3cret"), deepdive=True) as grounder:
        found = grounder.ground(
            "Jina was founded in 2020.", references=["jina.ai", "https://example.com/a b".replace(" ", "")]
        )
    assert (found.factuality, found.result, found.verdict) == (0.95, True, "supported")
    assert [reference.is_supportive for reference in found.references] == [True, False]
    assert found.usage.total_tokens == 112073
    assert json.loads(server.received[0].body) == {
        "statement": "Jina was founded in 2020.", "references": ["jina.ai", "https://example.com/ab"], "deepdive": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("references", "verdict"),
    [(DOCUMENTED["references"], "refuted"), (DOCUMENTED["references"][:1], "not enough evidence"),
     ([], "not enough evidence")],
)  # fmt: skip
def test_the_verdict_of_a_server_that_tells_none(server, references, verdict):
    server.routes["/g/"] = [_answer({**DOCUMENTED, "result": False, "references": references})]
    with RemoteGrounder(Remote(server.url(""))) as grounder:
        assert grounder.ground(TRUE).verdict == verdict


OUT_OF_FORM = [
        {}, {"data": None}, {"data": []}, {"data": {**DOCUMENTED, "factuality": None}},
        *({"data": {**DOCUMENTED, name: wrong}}
          for name in ("factuality", "result", "reason", "references", "usage", "warning")
          for wrong in ("high" if name not in ("reason", "warning") else 3, [[1]], {"tokens": "many"})),
]  # fmt: skip


def test_answers_out_of_form(server):
    with RemoteGrounder(Remote(server.url(""))) as grounder:
        for body in OUT_OF_FORM:
            server.routes["/g/"] = [http(body=json.dumps(body).encode(), content_type="application/json")]
            with pytest.raises(WebError, match="out of form"):
                grounder.ground(TRUE)


@pytest.mark.parametrize(
    ("events", "match"),
    [
        ([], "without a verdict"),
        (["step"], "no JSON"),
        ([[]], "out of form"),
        ([{"stage": "dance", "text": ""}], "stage"),
        ([{"stage": "read", "text": "", "urls": [3]}], "urls"),
        ([{"stage": "read", "text": "a page"}, {"data": None, "code": 422, "readableMessage": "E: gone"}], "E: gone"),
    ],
)
def test_events_out_of_form(server, events, match):
    lines = "".join(f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n" for each in events)
    server.routes["/g/"] = [http(body=lines.encode() or b"\n", content_type="text/event-stream")]
    with RemoteGrounder(Remote(server.url(""))) as grounder, pytest.raises(WebError, match=match):
        list(grounder.stream(TRUE))


def test_a_server_that_does_not_stream(server):
    server.routes["/g/"] = [_answer(DOCUMENTED)]
    with RemoteGrounder(Remote(server.url(""))) as grounder:
        [step] = grounder.stream(TRUE)
    assert step.grounding.factuality == 0.95


def test_giving_up_closes_the_connection(server):
    gone = threading.Event()

    async def slow(_request, writer):
        body = b'data: {"stage": "claims", "text": "one", "urls": []}\n\n'
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n" + body)
        with suppress(ConnectionError):
            while True:
                await writer.drain()
                writer.write(b": nothing new\n\n")
                await asyncio.sleep(0.01)
        gone.set()

    server.routes["/g/"] = slow
    with RemoteGrounder(Remote(server.url(""))) as grounder:
        steps = grounder.stream(TRUE)
        assert next(steps).stage == "claims"
        steps.close()
        assert gone.wait(30)


def _answer(data):
    return http(body=json.dumps({"code": 200, "status": 20000, "data": data}).encode(), content_type="application/json")
