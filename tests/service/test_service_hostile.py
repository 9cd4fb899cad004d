"""Requests that mean no good, over real connections: each is refused at little cost, and the service goes on."""

from __future__ import annotations

import gzip
import json
import socket

import httpx
import pytest

_EMBED = json.dumps({"model": "static-minilm-v1", "input": "a"}).encode()
_POSTS = (
    "/v1/embeddings", "/v1/rerank", "/v2/rerank", "/v1/classify", "/v1/train", "/v1/segment", "/v1/batch/embeddings",
    "/v1/chat/completions", "/v2/embed", "/r/", "/s/", "/g/", "/svip/",
)  # fmt: skip
_CLOSE = b"Host: here\r\nConnection: close\r\n"
_REFUSED = {400, 404, 413, 415, 422}


def answered(url: str, sent: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    here = httpx.URL(url)
    with socket.create_connection((here.host, here.port), timeout=60) as connection:
        connection.sendall(sent)
        found = bytearray()
        while piece := connection.recv(65536):
            found += piece
    return bytes(found)


def asked(url: str, target: str | bytes, *headers: bytes) -> bytes:
    """The same of a GET."""
    raw = target.encode() if isinstance(target, str) else target
    lines = b"".join(b"%s\r\n" % line for line in headers)
    return answered(url, b"GET %s HTTP/1.1\r\nConnection: close\r\n%s\r\n" % (raw, lines or b"Host: here\r\n"))


def status_of(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1])


def said(answer: bytes) -> object:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"model":"static-minilm-v1","dimensions":' + b"9" * 5000 + b"}",
        b'{"model":"static-minilm-v1","input":NaN,"top_n":NaN,"content":NaN,"q":NaN,"statement":NaN}',
        b'{"model":"static-minilm-v1","input":"\xff\xfe","content":"\xff"}',
        b'{"model":"\\ud800","input":1,"query":"\\ud800","content":"\\ud800","q":"\\ud800","statement":"\\ud800"}',
        b"null",
    ],
    ids=["arrays", "objects", "digits", "nan", "bytes", "surrogates", "null"],
)
@pytest.mark.parametrize("path", _POSTS)
def test_what_is_no_json_of_ours(service_url: str, path: str, body: bytes) -> None:
    answer = httpx.post(service_url + path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in _REFUSED, answer.text
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("path", _POSTS)
def test_compressed_bodies_are_not_taken(service_url: str, path: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip", "accept": "application/json"}
    answer = httpx.post(service_url + path, content=gzip.compress(_EMBED), headers=headers)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert "'gzip' is not taken" in answer.text


def test_that_a_body_is_sent_as_it_is_may_be_said(service_url: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": "identity"}
    assert httpx.post(f"{service_url}/v1/embeddings", content=_EMBED, headers=headers).is_success


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "static-minilm-v1", "input": [None] * 500_000}),
        ("/v1/embeddings", {"model": "static-minilm-v1", "input": [""] * 500_000}),
        ("/v2/embed", {"model": "static-minilm-v1", "texts": [1] * 500_000}),
        ("/v1/rerank", {"model": "static-minilm-v1-maxsim", "query": "a", "documents": [{}] * 500_000}),
        ("/v1/rerank", {"many": dict.fromkeys(map(str, range(200_000)), [1] * 20)}),
        ("/v1/train", {"model": "static-minilm-v1", "input": [1] * 500_000}),
        ("/v1/chat/completions", {"messages": [{}] * 100_000}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{}] * 100_000}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "bad_hostnames": [1] * 100_000}),
        ("/r/", {"html": "<p>a", "setCookies": ["a=b"] * 100_000}),
        ("/g/", {"statement": "Tea is hot.", "references": ["a.b"] * 100_000}),
    ],
)
def test_long_lists_are_refused_by_what_is_wrong_first(service_url: str, path: str, body: object) -> None:
    answer = httpx.post(service_url + path, json=body, timeout=60)
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 10_000  # and not a line for each


@pytest.mark.parametrize("field", ["model", "task", "embedding_type"])
def test_long_names_are_not_given_back(service_url: str, field: str) -> None:
    body = {"model": "static-minilm-v1", "input": "a", field: "a" * 5_000_000}
    answer = httpx.post(f"{service_url}/v1/embeddings", json=body, timeout=60)
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("character", ["a", "1", " a", "A ", "?", ". "])
def test_long_questions_hold_nobody_up(service_url: str, character: str) -> None:
    question = ("What is " + character * 100_000)[:99_999]
    messages = [{"role": "user", "content": question}]
    answer = httpx.post(f"{service_url}/v1/chat/completions", json={"messages": messages}, timeout=60)
    assert answer.status_code == 200


def test_addresses_of_the_service_in_a_row_are_too_long(service_url: str) -> None:
    own = f"{httpx.URL(service_url).netloc.decode()}/r/"
    answer = httpx.post(f"{service_url}/r/", json={"url": own * 200_000}, timeout=60)
    assert answer.status_code == 400
    assert "up to 8,192 characters" in answer.text


@pytest.mark.parametrize("path", ["/s/", "/g/"])
def test_a_query_in_the_path_is_no_longer_than_another(service_url: str, path: str) -> None:
    answer = httpx.get(f"{service_url}{path}{'a' * 20_000}")
    assert answer.status_code == 400
    assert "10,000 characters" in answer.text


@pytest.mark.parametrize(
    "host", [b"\xff", b"a b", b"a]b", b"[::1", b"x/?a=b", b"x#y", b"a:b:c", b"user@x", b"<script>", b"x:999999"]
)
@pytest.mark.parametrize(("path", "name"), [("/v1/batches", "detail"), ("/v2/embed", "message"), ("/r/x", "message")])
def test_a_host_that_is_none_is_refused(service_url: str, path: str, name: str, host: bytes) -> None:
    answer = asked(service_url, path, b"Host: " + host, b"Accept: application/json")
    assert status_of(answer) == 400
    told = said(answer)
    assert isinstance(told, dict)
    assert "Host" in told[name]


def test_one_host_is_enough(service_url: str) -> None:
    assert status_of(asked(service_url, "/live", b"Host: a", b"Host: b")) == 400


@pytest.mark.parametrize("host", [b"127.0.0.1:8080", b"[::1]:8080", b"r.example.com", b"localhost", b"a_b.internal"])
def test_a_host_with_a_name_or_an_address_is_taken(service_url: str, host: bytes) -> None:
    assert status_of(asked(service_url, "/openapi.json", b"Host: " + host)) in {200, 400}  # of r. it is a page's URL
    assert b"The header Host" not in asked(service_url, "/openapi.json", b"Host: " + host)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/r/..", 400), ("/r/%2e%2e/live", 400), ("/r/%00", 400), ("/%00", 404), ("/v1/models/%00", 404),
        ("/v1/models/../../etc/passwd", 404), ("/docs/assets/../../../../etc/passwd", 404),
        ("/docs/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 404), ("/docs/assets//etc/passwd", 404),
        ("/docs/assets/%00", 404), ("/docs/assets/%ff", 404), ("/v1/batch/%ff", 404), ("//live", 404),
        ("/live%0d%0aX:1", 404), ("/r/file:///etc/passwd", 400), ("/r/http://0x7f.1/", 451), ("live", 400),
        ("/g/x?references=/etc/passwd", 400), ("/v1/batches?limit=99999999999999999999999", 422), (b"/\xff", 400),
        ("http://elsewhere.example/live", 200),
    ],
)  # fmt: skip
def test_paths_lead_nowhere_else(service_url: str, target: str | bytes, status: int) -> None:
    answer = asked(service_url, target)
    assert status_of(answer) == status, answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(_EMBED), _EMBED), 200),
        (b"Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFFF\r\nx", 400),
        (b"Transfer-Encoding: chunked\r\n", b"-1\r\nx\r\n0\r\n\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400),
        (b"Content-Length: 40\r\nContent-Length: 5\r\n", _EMBED, 400),
        (b"Content-Length: -5\r\n", _EMBED, 400),
        (b"Content-Length: 99999999999999\r\n", _EMBED, 413),
    ],
)
def test_bodies_have_one_length(service_url: str, head: bytes, body: bytes, status: int) -> None:
    start = b"POST /v1/embeddings HTTP/1.1\r\nContent-Type: application/json\r\n"
    assert status_of(answered(service_url, start + _CLOSE + head + b"\r\n" + body)) == status


def test_older_clients_are_answered(service_url: str) -> None:
    assert status_of(answered(service_url, b"GET /live HTTP/1.0\r\n\r\n")) == 200


def test_requests_in_a_row_are_answered_in_order(service_url: str) -> None:
    row = b"GET /live HTTP/1.1\r\nHost: here\r\n\r\n" * 500 + b"GET /nothing HTTP/1.1\r\n" + _CLOSE + b"\r\n"
    answers = answered(service_url, row).split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200] * 500 + [404]


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/segment", "GET, POST"), ("/v1/batch/x", "DELETE, GET"), ("/v1/batch/embeddings", "POST")],
)
def test_all_methods_of_a_path_are_told(service_url: str, path: str, methods: str) -> None:
    answer = httpx.put(service_url + path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == methods
    assert methods in answer.json()["detail"]


def test_probes_may_ask_for_heads(service_url: str) -> None:
    assert [httpx.head(service_url + path).status_code for path in ("/live", "/health", "/ready")] == [200] * 3
