"""What all remote components have in common: refusals, keys, and how they travel."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_server import http

from jina_components import (
    Classifier,
    DeepSearchAgent,
    Grounder,
    Reader,
    Segmenter,
    WebSearch,
)
from jina_components.errors import (
    BlockedURLError,
    BudgetExceededError,
    BusyError,
    ConfigError,
    ContentTooLargeError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    RobotsDeniedError,
    TooLongError,
    UnknownNameError,
    WebError,
)
from jina_components.remote import (
    Remote,
    RemoteClassifier,
    RemoteDeepSearch,
    RemoteGrounder,
    RemoteReader,
    RemoteSearch,
    RemoteSegmenter,
)

CALLS = {
    RemoteReader: (Reader, "/r/", {}, lambda part: part.read("https://example.com")),
    RemoteSearch: (WebSearch, "/s/", {}, lambda part: part.search("tides")),
    RemoteGrounder: (Grounder, "/g/", {}, lambda part: part.ground("It rains.")),
    RemoteSegmenter: (Segmenter, "/v1/segment", {}, lambda part: part.segment("It rains.")),
    RemoteClassifier: (Classifier, "/v1/classify", {"model": "m"}, lambda part: part.classify(["rain"], ["a", "b"])),
    RemoteDeepSearch: (DeepSearchAgent, "/v1/chat/completions", {}, lambda part: part.run("Does it rain?")),
}  # fmt: skip
EACH = pytest.mark.parametrize("cls", CALLS)


def made(cls, url, **remote):
    return cls(Remote(url, **remote), **CALLS[cls][2])


def rpc(name, **fields):
    return {"data": None, "name": name, "message": "not so", "readableMessage": f"{name}: not so", **fields}


REFUSALS = [
    (400, rpc("ParamValidationError", path="url"), InputError),
    (409, rpc("BudgetExceededError"), BudgetExceededError),
    (409, rpc("ResourcePolicyDenyError"), RobotsDeniedError),
    (413, rpc("TargetFileTooLargeError"), ContentTooLargeError),
    (451, rpc("SecurityCompromiseError"), BlockedURLError),
    (422, rpc("AssertionFailureError"), HTTPStatusError),
    (402, rpc("InsufficientBalanceError"), HTTPStatusError),
    (400, {"detail": "not so", "code": "INPUT_MODEL_NOT_FOUND"}, UnknownNameError),
    (400, {"detail": "not so", "code": "INPUT_TOKEN_LIMIT_EXCEEDED"}, TooLongError),
    (404, {"detail": "not so", "code": "RESOURCE_NOT_FOUND"}, UnknownNameError),
    (409, {"detail": "not so", "code": "CONFLICT_RESOURCE_BUSY"}, BusyError),
    (422, {"detail": "Validation error(s): not so", "errors": [{"field": "body -> labels"}]}, InputError),
    (422, {"detail": [{"loc": ["body"], "msg": "not so"}]}, InputError),
    (400, {"error": "not so"}, InputError),
    (404, {"error": {"message": "not so", "code": "model_not_found"}}, UnknownNameError),
    (401, {"detail": "not so", "code": "AUTH_INVALID_API_KEY"}, HTTPStatusError),
    (404, {"detail": "not so"}, HTTPStatusError),
    (500, {"detail": ["not so"], "code": ["odd"], "name": 3, "errors": {"a": 1}}, HTTPStatusError),
    (422, {"detail": "not so", "errors": [3], "code": {}}, InputError),
    (422, {"detail": "not so", "errors": [{"field": 3}]}, InputError),
]


@EACH
def test_refusals(server, cls):
    with made(cls, server.url(""), retries=0) as part:
        for status, body, kind in REFUSALS:
            server.routes[CALLS[cls][1]] = [http(status, json.dumps(body).encode(), content_type="application/json")]
            with pytest.raises(JinaComponentsError, match="not so") as caught:
                CALLS[cls][3](part)
            error = caught.value
            assert isinstance(error, kind)
            assert error.__cause__ is not error
            assert type(pickle.loads(pickle.dumps(error))) is type(error)


@EACH
def test_answers_of_no_form(server, cls):
    with made(cls, server.url("")) as part:
        for body in (b"", b"<html>", b"null", b"[]", b'"text"', b"3", b"\xff", b"[" * 100_000):
            server.routes[CALLS[cls][1]] = [http(body=body, content_type="application/json")]
            with pytest.raises(WebError):
                CALLS[cls][3](part)


_NAMES = (
    "data", "meta", "usage", "tokens", "content", "url", "title", "links", "images", "external", "choices", "delta",
    "message", "type", "annotations", "predictions", "label", "score", "index", "chunks", "chunk_positions",
    "num_tokens", "factuality", "result", "references", "stage", "error", "siteLinks",
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=6),
    max_leaves=30,
)


@pytest.fixture
def part(server, cls):
    with made(cls, server.url("")) as part:
        yield part


@EACH
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(body=_JSON)
def test_whatever_a_server_answers_is_a_result_or_a_web_error(server, cls, part, body):
    sent = json.dumps(body).encode()
    server.routes[CALLS[cls][1]] = [http(body=sent, content_type="application/json")]
    with suppress(WebError):
        CALLS[cls][3](part)


@EACH
def test_no_server(cls):
    with made(cls, "http://127.0.0.1:9", retries=0) as part, pytest.raises(WebError, match=r"127\.0\.0\.1:9"):
        CALLS[cls][3](part)


@EACH
def test_keys_are_shown_nowhere(server, cls):
    server.routes[CALLS[cls][1]] = [http(401, b'{"detail": "s3cret is no key"}', content_type="application/json")]
    with made(cls, server.url(""), api_key="s3cret") as part:
        assert "s3cret" not in repr(part)
        with pytest.raises(WebError) as caught:
            CALLS[cls][3](part)
        assert "s3cret" not in str(caught.value)
        with pytest.raises(ConfigError, match="api_key is a secret"):
            part.to_dict()
    assert server.received[0].headers["authorization"] == "Bearer s3cret"


@EACH
def test_it_travels(server, cls):
    part = made(cls, server.url(""), api_key="s3cret")
    again = pickle.loads(pickle.dumps(part))
    assert repr(again) == repr(part)
    with again, pytest.raises(JinaComponentsError):
        CALLS[cls][3](again)
    assert server.received[0].headers["authorization"] == "Bearer s3cret"
    plain = made(cls, server.url(""))
    assert repr(cls.from_dict(json.loads(json.dumps(plain.to_dict())))) == repr(plain)


@EACH
def test_it_wants_a_remote(cls):
    for wrong in ("http://localhost", None):
        with pytest.raises(ConfigError, match="remote must be a Remote"):
            cls(wrong, **CALLS[cls][2])


@EACH
def test_its_verbs_take_what_those_here_take(cls):
    here = CALLS[cls][0]
    left_out = {"checkpoint"}
    for name, verb in inspect.getmembers(cls, inspect.isfunction):
        if name.startswith("_") or not hasattr(here, name) or name in ("aclose", "close", "to_dict"):
            continue
        expected = [
            each for each in inspect.signature(getattr(here, name)).parameters.values() if each.name not in left_out
        ]
        found = list(inspect.signature(verb).parameters.values())
        assert [(each.name, each.kind, each.default) for each in found] == [
            (each.name, each.kind, each.default) for each in expected
        ], name


def test_no_more_requests_at_a_time_than_the_remote_allows(server):
    running = most = 0

    async def slow(_request, writer):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        writer.write(http(body=b'{"num_tokens": 3}', content_type="application/json"))
        await writer.drain()

    async def many(segmenter):
        await asyncio.gather(*(segmenter.acount("It rains.") for _ in range(12)))
        await segmenter.aclose()

    server.routes["/v1/segment"] = slow
    asyncio.run(many(RemoteSegmenter(Remote(server.url(""), concurrency=3))))
    assert most == 3


def test_threads_and_loops_share_one(service):
    async def inside(segmenter):
        sync = await asyncio.to_thread(segmenter.count, "It rains.")
        assert sync == segmenter.count("It rains.") == await segmenter.acount("It rains.")  # as in a notebook

    with RemoteSegmenter(Remote(service.url)) as segmenter:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: segmenter.count("It rains."), range(20))) == {3}
        asyncio.run(inside(segmenter))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]
