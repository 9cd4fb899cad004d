"""What a request costs is written down before its answer ends, once; what it held is given back whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from jina_components.service import Caller, Components, ServiceSettings
from jina_components.service.calls import Call, OpenAccess, Permit, admitted
from jina_components.service.errors import problem
from jina_components.service.in_process import InProcess
from jina_components.service.products import Product
from jina_components.service.wire.negotiation import Result, answer_with
from jina_components.testing import FakeChat


class Recorded:
    """A permit that remembers what it was told."""

    caller = Caller("somebody", "key_1")

    def __init__(self, *, can_charge: bool = True) -> None:
        self.charged: list[tuple[Product, str, int]] = []
        self.released = 0
        self._can_charge = can_charge

    def headers(self) -> Mapping[str, str]:
        return {"X-RateLimit-Remaining-Tokens": str(1000 - sum(tokens for _, _, tokens in self.charged))}

    async def settle(self, call: Call) -> None:
        await asyncio.sleep(0)
        if not self._can_charge:
            raise problem(503, "The ledger is closed.")
        self.charged.append((call.product, call.model, call.tokens))

    async def release(self) -> None:
        self.released += 1


class Recording(OpenAccess):
    """Lets everybody in, and remembers whom."""

    def __init__(self) -> None:
        self.can_charge = True
        self.permits: list[Recorded] = []

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Permit:
        self.permits.append(Recorded(can_charge=self.can_charge))
        return self.permits[-1]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def accounted(
    make_app: Callable[..., FastAPI], recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    settings = ServiceSettings(data=tmp_path_factory.mktemp("accounted"), warm_up=())
    components = Components(settings, chat=FakeChat(["Hello."] * 4))
    app = make_app(components=components, access=recording)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(autouse=True)
def _nobody_yet(recording: Recording) -> None:
    recording.permits.clear()
    recording.can_charge = True


def test_a_good_answer_is_charged_once_and_tells_what_is_left(accounted: TestClient, recording: Recording) -> None:
    answer = accounted.post("/v1/embeddings", json={"model": "static-minilm-v1", "input": ["one", "two"]})
    tokens = answer.json()["usage"]["total_tokens"]
    [permit] = recording.permits
    assert permit.charged == [("embeddings", "static-minilm-v1", tokens)]
    assert permit.released == 1
    assert answer.headers["X-RateLimit-Remaining-Tokens"] == str(1000 - tokens)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"model": "no-such", "input": "x"}, 400), ({"model": "static-minilm-v1"}, 422), ({"model": 1, "input": {}}, 422)],
)
def test_a_failed_request_costs_nothing(
    accounted: TestClient, recording: Recording, body: dict[str, object], status: int
) -> None:
    answer = accounted.post("/v1/embeddings", json=body)
    [permit] = recording.permits
    assert (answer.status_code, permit.charged, permit.released) == (status, [], 1)
    assert answer.headers["X-RateLimit-Remaining-Tokens"] == "1000"


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "/v1/embeddings", {"model": "static-minilm-v1", "input": "one"}, ("detail", "The ledger is closed.")),
        ("POST", "/v2/embed", {"model": "static-minilm-v1", "texts": ["x"], "input_type": "search_query",
                               "embedding_types": ["float"]}, ("message", "The ledger is closed.")),
        ("POST", "/r/", {"html": "<p>Some text of a page.</p>"}, ("message", "The ledger is closed.")),
    ],
)  # fmt: skip
def test_what_cannot_be_charged_is_not_given(
    accounted: TestClient, recording: Recording, method: str, path: str, body: dict[str, object], told: tuple[str, str]
) -> None:
    recording.can_charge = False
    answer = accounted.request(method, path, json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json()[told[0]] == told[1]
    assert recording.permits[0].released == 1


def _chat(client: TestClient, **fields: object) -> httpx.Response:
    asked = {"model": "jina-vlm", "messages": [{"role": "user", "content": "Hello?"}], **fields}
    return client.post("/v1/chat/completions", json=asked)


def test_a_stream_is_charged_before_it_tells_its_usage(accounted: TestClient, recording: Recording) -> None:
    lines = _chat(accounted, stream=True).text
    [permit] = recording.permits
    assert len(permit.charged) == 1
    assert permit.charged[0][2] > 0
    assert '"usage"' in lines
    assert permit.released == 1


def test_a_stream_that_cannot_be_charged_tells_no_usage(accounted: TestClient, recording: Recording) -> None:
    recording.can_charge = False
    lines = _chat(accounted, stream=True).text
    assert '"usage"' not in lines
    assert "The ledger is closed." in lines
    assert recording.permits[0].released == 1


@pytest.fixture
async def versions(make_app: Callable[..., FastAPI], recording: Recording) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that answers with one version after another, and waits, fails or ends then."""
    app = make_app(access=recording, playground=False)

    async def told(then: str) -> AsyncGenerator[Result, None]:
        for number in range(2):
            yield Result(number, "", 10 + number)
        if then == "fail":
            raise problem(422, "The last one is lost.")
        if then == "wait":
            await asyncio.Event().wait()

    @app.get("/v1/versions/{then}")
    async def _(request: Request, then: str, _call: Annotated[Call, Depends(admitted("reader"))]) -> Response:
        return await answer_with(request, told(then))

    headers = {"Accept": "text/event-stream"}
    async with httpx.AsyncClient(transport=InProcess(app), base_url="http://service", headers=headers) as client:
        yield client


async def test_events_that_end_are_charged_once(versions: httpx.AsyncClient, recording: Recording) -> None:
    assert (await versions.get("/v1/versions/end")).text.count("event: data") == 2
    [permit] = recording.permits
    assert (permit.charged, permit.released) == ([("reader", "", 11)], 1)


async def test_events_that_fail_are_not_charged(versions: httpx.AsyncClient, recording: Recording) -> None:
    assert "The last one is lost." in (await versions.get("/v1/versions/fail")).text
    [permit] = recording.permits
    assert (permit.charged, permit.released) == ([], 1)


async def test_events_that_cannot_be_charged_say_so(versions: httpx.AsyncClient, recording: Recording) -> None:
    recording.can_charge = False
    told = (await versions.get("/v1/versions/end")).text
    assert told.rpartition("event: ")[2].startswith("error")
    assert "The ledger is closed." in told


async def test_who_goes_is_charged_for_what_it_was_sent(versions: httpx.AsyncClient, recording: Recording) -> None:
    async with versions.stream("GET", "/v1/versions/wait") as answer:
        events = answer.aiter_bytes()
        assert [await anext(events) for _ in range(2)]
    [permit] = recording.permits
    assert (permit.charged, permit.released) == ([("reader", "", 11)], 1)


def test_a_refused_request_holds_nothing(accounted: TestClient, recording: Recording) -> None:
    assert accounted.get("/health").status_code == 200
    assert accounted.get("/no/such").status_code == 404
    assert recording.permits == []
