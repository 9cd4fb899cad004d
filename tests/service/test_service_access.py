"""Who is let in, what it costs, and what is told to those who are not."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy import select
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from jina_components.service import ServiceSettings
from jina_components.service.accounts.access import KeyAccess
from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.entries import Entry
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.calls import Call
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES
from jina_components.service.errors import Problem, problem
from jina_components.service.limits.tiers import TIERS, Rate, Tier

MODEL = "static-minilm-v1"
EMBED = {"model": MODEL, "input": ["One short text."]}
TIERS_HERE = {
    **TIERS,
    "three": Tier({"embeddings": Rate(requests=3), "reader": Rate(requests=1), "deepsearch": Rate(requests=1)}),
    "few tokens": Tier({"embeddings": Rate(tokens=40)}),
    "closed": Tier({"embeddings": None}),
}


class Now:
    """The clock of the limits, which stands still, so that no minute ends during a test."""

    def __init__(self) -> None:
        self.seconds = 1_000_000 * 60 + 20.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def now() -> Now:
    return Now()


@pytest.fixture(scope="module")
def app(make_app: Callable[..., FastAPI], now: Now) -> FastAPI:
    made = make_app(needs_keys=True, tiers=TIERS_HERE)
    made.state.access = KeyAccess(made.state.database, made.state.settings, clock=now)
    return made


@pytest.fixture(scope="module")
def keyed(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def keys(app: FastAPI, keyed: TestClient) -> Iterator[Keys]:
    yield Keys(app.state.database)
    assert audit(app.state.database) == []


@pytest.fixture
def next_minute(now: Now) -> None:
    now.seconds = (now.seconds // 60 + 1) * 60 + 20


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def embed(keyed: TestClient, secret: str, **body: Any) -> Response:
    return keyed.post("/v1/embeddings", json=EMBED | body, headers=bearer(secret))


def entries(app: FastAPI, key_id: str) -> list[Any]:
    """Charges of a key."""
    with app.state.database.connected() as db:
        return [
            row
            for row in db.execute(select(ENTRIES).where(ENTRIES.c.key_id == key_id).order_by(ENTRIES.c.number))
            if row.kind == "charge"
        ]


# Who


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank", "/v1/classify", "/v1/train", "/v1/batch/embeddings"])
def test_without_a_key_one_is_asked_for(keyed, path):
    answer = keyed.post(path, json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_MISSING_API_KEY")
    assert "Authorization: Bearer KEY" in answer.json()["detail"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("given", ["Basic abc", "Token jina_abc", "Bearer jina_abc jina_def", "jina_abc x"])
def test_a_malformed_header_is_told_to_be_one(keyed, given):
    answer = keyed.post("/v1/embeddings", json=EMBED, headers={"Authorization": given})
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_INVALID_FORMAT")
    assert given.split()[-1] not in answer.text


def test_unknown_and_revoked_keys_are_told_the_same(keyed, keys, next_minute):
    key, secret = keys.create(name="revoked")
    assert embed(keyed, secret).status_code == 200
    keys.revoke(key.id)
    answers = [embed(keyed, secret).json(), embed(keyed, "jina_" + "x" * 60).json()]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "AUTH_INVALID_API_KEY"


def test_bare_keys_are_taken(keyed, keys):
    _, secret = keys.create(name="bare")
    assert keyed.post("/v1/embeddings", json=EMBED, headers={"Authorization": secret}).status_code == 200


def test_the_rpc_family_is_told_in_its_words(keyed, keys, next_minute):
    wrong = keyed.get("/s/?q=x", headers={"Accept": "application/json", **bearer("jina_wrong")}).json()
    assert (wrong["code"], wrong["status"], wrong["name"]) == (401, 40102, "AuthenticationFailedError")
    missing = keyed.get("/s/?q=x", headers={"Accept": "application/json"}).json()
    assert (missing["code"], missing["status"], missing["name"]) == (401, 40103, "AuthenticationRequiredError")


def test_wrong_keys_of_an_address_are_refused_after_some_and_right_ones_are_not(keyed, keys, next_minute):
    _, secret = keys.create(name="right")
    answers = [embed(keyed, f"jina_{number}") for number in range(31)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert answers[-1].json()["code"] == "RATE_IP_LIMIT_EXCEEDED"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert embed(keyed, secret).status_code == 200


def test_keys_are_never_in_an_answer_or_a_log(keyed, keys, caplog):
    caplog.set_level(logging.DEBUG)
    _, secret = keys.create(name="secret", grant=0)
    for given in (secret, secret[:-1], secret + " x", "Basic " + secret):
        answer = keyed.post("/v1/embeddings", json=EMBED, headers={"Authorization": f"Bearer {given}"})
        assert secret[:-1] not in answer.text + str(answer.headers)
    assert secret[:-1] not in caplog.text


# What for


def test_a_key_of_a_tier_that_is_gone_is_refused_and_logged_once(keyed, keys, caplog):
    key, secret = keys.create(name="old", tier="gone")
    answers = [embed(keyed, secret) for _ in range(2)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "AUTHZ_RESOURCE_LIMIT_EXCEEDED")
    ] * 2
    assert "no tier 'gone'" in answers[0].json()["detail"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"Key {key.id} is refused: its tier 'gone' is none of the service."
    ]
    assert keyed.get("/v1/account", headers=bearer(secret)).json()["tier"] == "gone"


def test_a_tier_may_be_shut_out_of_a_product(keyed, keys):
    _, secret = keys.create(name="closed", tier="closed")
    answer = embed(keyed, secret)
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "Keys of tier 'closed' may not use embeddings: ask for another tier.",
    )
    assert keyed.post("/v1/segment", json={"content": "a"}, headers=bearer(secret)).status_code == 200


def test_models_and_probes_are_open(keyed):
    assert keyed.get("/v1/models").status_code == 200
    assert keyed.get("/health").status_code == 200


# What it costs


def test_an_answer_is_charged_with_its_tokens(app, keyed, keys):
    key, secret = keys.create(name="charged")
    answer = embed(keyed, secret, model=f"jinaai/{MODEL}")
    used = answer.json()["usage"]["total_tokens"]
    (entry,) = entries(app, key.id)
    assert (entry.tokens, entry.product, entry.model, entry.requests, entry.items) == (
        -used, "embeddings", MODEL, 1, 1,
    )  # fmt: skip
    assert entry.reference == answer.headers["X-Request-ID"]
    assert keys.get(key.id).balance == FREE_GRANT - used


def test_failures_are_not_charged(app, keyed, keys):
    key, secret = keys.create(name="failing")
    assert embed(keyed, secret, model="no-such-model").status_code == 400
    assert embed(keyed, secret, input=[]).status_code >= 400
    assert entries(app, key.id) == []


def test_what_is_free_is_counted_and_costs_nothing(app, keyed, keys):
    key, secret = keys.create(name="free", grant=0)
    assert keyed.post("/v1/segment", json={"content": "A text."}, headers=bearer(secret)).status_code == 200
    (entry,) = entries(app, key.id)
    assert (entry.tokens, entry.product, entry.requests) == (0, "segment", 1)


def test_what_only_looks_is_not_counted(app, keyed, keys):
    key, secret = keys.create(name="looking")
    for path in ("/v1/account", "/v1/batches", "/v1/models"):
        assert keyed.get(path, headers=bearer(secret)).status_code == 200
    assert entries(app, key.id) == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/embeddings", 403, "AUTHZ_INSUFFICIENT_BALANCE"),
        ("/v2/embed", 403, None),
        ("/v1/chat/completions", 402, None),
    ],
)
def test_without_balance_nothing_that_costs_is_answered(keyed, keys, path, status, code):
    key, secret = keys.create(name="poor", grant=0)
    body = EMBED | {"texts": ["a"], "input_type": "search_query", "messages": [{"role": "user", "content": "q"}]}
    answer = keyed.post(path, json=body, headers=bearer(secret))
    assert answer.status_code == status, answer.text
    assert f"balance of key {key.id} is used up" in answer.text
    assert answer.json().get("code") == code


def test_without_balance_the_rpc_family_says_402(keyed, keys):
    _, secret = keys.create(name="poor", grant=0)
    told = keyed.get("/s/?q=x", headers={"Accept": "application/json", **bearer(secret)}).json()
    assert (told["code"], told["status"], told["name"]) == (402, 40203, "InsufficientBalanceError")


def test_without_balance_batches_can_be_looked_at_and_not_made(keyed, keys):
    _, secret = keys.create(name="poor", grant=0)
    assert keyed.get("/v1/batches", headers=bearer(secret)).status_code == 200
    answer = keyed.post("/v1/batch/embeddings", json={}, headers=bearer(secret))
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTHZ_INSUFFICIENT_BALANCE")


def test_the_last_tokens_may_be_used_and_then_no_more(keyed, keys):
    key, secret = keys.create(name="last", grant=1)
    assert embed(keyed, secret).status_code == 200
    assert keys.get(key.id).balance < 0
    assert embed(keyed, secret).status_code == 403
    keys.grant(key.id, 100)
    assert embed(keyed, secret).status_code == 200


# How often


def test_answers_tell_what_is_left(keyed, keys, next_minute):
    _, secret = keys.create(name="told", tier="free")
    left = []
    for _ in range(2):
        answer = embed(keyed, secret)
        left.append((answer.headers["X-RateLimit-Remaining-Requests"], answer.headers["X-RateLimit-Remaining-Tokens"]))
    used = answer.json()["usage"]["total_tokens"]
    assert left == [("99", str(100_000 - used)), ("98", str(100_000 - 2 * used))]
    assert answer.headers["X-RateLimit-Limit-Requests"] == "100"
    assert answer.headers["X-RateLimit-Limit-Tokens"] == "100000"
    failed = embed(keyed, secret, model="no-such-model")
    assert failed.headers["X-RateLimit-Remaining-Requests"] == "97"


def test_requests_over_a_limit_come_again_next_minute(app, keyed, keys, now, next_minute):
    key, secret = keys.create(name="three", tier="three")
    answers = [embed(keyed, secret) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    told = answers[-1]
    assert told.json()["code"] == "RATE_REQUEST_LIMIT_EXCEEDED"
    assert told.json()["detail"] == f"Key {key.id} may have 3 requests a minute for embeddings: come again in 40 s."
    assert told.headers["Retry-After"] == "40"
    assert told.headers["X-RateLimit-Remaining-Requests"] == "0"
    assert len(entries(app, key.id)) == 3
    now.seconds += 40
    assert embed(keyed, secret).status_code == 200


def test_tokens_over_a_limit_come_again_next_minute(keyed, keys, next_minute):
    _, secret = keys.create(name="few", tier="few tokens")
    assert embed(keyed, secret, input=["word " * 60]).status_code == 200
    told = embed(keyed, secret)
    assert (told.status_code, told.json()["code"]) == (429, "RATE_TOKEN_LIMIT_EXCEEDED")
    assert told.json()["message"] == told.json()["detail"]
    assert told.headers["X-RateLimit-Remaining-Tokens"] == "0"


def test_the_rpc_family_is_told_when_to_come_again(keyed, keys, now, next_minute):
    _, secret = keys.create(name="rpc", tier="three")
    answers = [
        keyed.get("/r/http://127.0.0.1/", headers={"Accept": "application/json", **bearer(secret)}) for _ in range(2)
    ]
    told = answers[1].json()
    assert (told["code"], told["status"], told["name"]) == (429, 42903, "RateLimitTriggeredError")
    assert told["retryAfter"] == int(answers[1].headers["Retry-After"]) == 40
    until = datetime.strptime(told["retryAfterDate"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert until.timestamp() == now.seconds + 40


def test_without_a_key_an_address_has_limits(keyed, next_minute):
    answers = [keyed.post("/v1/segment", json={"content": "a"}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[0].headers["X-RateLimit-Limit-Requests"] == "20"
    assert answers[-1].json()["code"] == "RATE_IP_LIMIT_EXCEEDED"
    assert "X-RateLimit-Limit-Tokens" not in answers[-1].headers


# In this process


def connection(host: str | None = "192.0.2.1", **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 1)
    return HTTPConnection({"type": "http", "method": "POST", "headers": raw, "client": client, "state": {}})


@pytest.fixture
async def access(tmp_path) -> Any:
    database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
    tiers = {**TIERS_HERE, "two at once": Tier({"embeddings": Rate(concurrent=2)})}
    made = KeyAccess(database, ServiceSettings(data=tmp_path, tiers=tiers), clock=Now())
    await made.open()
    made.keys = Keys(database)
    yield made
    await made.close()
    database.close()


async def test_addresses_are_told_apart_by_their_site(access):
    async def owner(host: str | None) -> str:
        permit = await access.admit(None, "segment", connection(host))
        await permit.release()
        return permit.caller.owner

    names = [await owner(host) for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", None)]
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"address-[0-9a-f]{32}", name) for name in names)
    assert await owner("2001:db8::ffff:1") == names[2]
    assert await owner("::ffff:192.0.2.1") == names[0]


async def test_requests_at_once_are_limited_and_come_again_soon(access):
    key, secret = access.keys.create(name="two", tier="two at once")
    permits = [await access.admit(secret, "embeddings", connection()) for _ in range(2)]
    with pytest.raises(Problem) as told:
        await access.admit(secret, "embeddings", connection())
    assert (told.value.status, told.value.code) == (429, "RATE_CONCURRENCY_LIMIT_EXCEEDED")
    assert told.value.headers["Retry-After"] == "1"
    assert told.value.detail == f"Key {key.id} may have 2 requests at once for embeddings: come again in 1 s."
    await permits.pop().release()
    await (await access.admit(secret, "embeddings", connection())).release()


async def test_a_charge_that_cannot_be_written_gives_tokens_back(access, monkeypatch):
    _, secret = access.keys.create(name="ledger fails", tier="few tokens")
    permit = await access.admit(secret, "embeddings", connection(content_length="40"))

    async def fail(entry: Entry) -> None:
        raise problem(503, f"No {entry.product} can be charged.")

    monkeypatch.setattr(access._charges, "add", fail)
    with pytest.raises(Problem, match="can be charged"):
        await permit.settle(Call(product="embeddings", tokens=10))
    await permit.release()
    assert permit.headers()["X-RateLimit-Remaining-Tokens"] == "40"


async def test_a_body_that_comes_in_pieces_is_taken_for_a_large_one(access):
    _, secret = access.keys.create(name="pieces", tier="few tokens")
    permit = await access.admit(secret, "embeddings", connection(transfer_encoding="chunked"))
    assert permit.headers()["X-RateLimit-Remaining-Tokens"] == "20"
    await permit.release()


async def test_what_is_somebodys_takes_a_key_whatever_the_tiers_say(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
    access = KeyAccess(database, ServiceSettings(data=tmp_path, tiers={"none": Tier({})}), clock=Now())
    await access.open()
    for product in ("account", "train", "batch"):
        with pytest.raises(Problem, match="takes a key"):
            await access.admit(None, product, connection())
    await (await access.admit(None, "embeddings", connection())).release()
    await access.close()
    database.close()
