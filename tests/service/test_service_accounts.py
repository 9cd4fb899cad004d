"""Routes of keys, balances and usage: what they do for owners and admins, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.keys import FREE_GRANT, Keys

MODEL = "static-minilm-v1"
NO_SUCH = "There is no such key, or it is another owner's."


class Holder:
    """Who has a key, and asks with it."""

    def __init__(self, client: TestClient, keys: Keys, **settings: Any) -> None:
        self._client = client
        self.key, self.secret = keys.create(**settings)
        self.id, self.owner = self.key.id, self.key.owner

    def ask(self, method: str, path: str, **others: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.secret}", **others.pop("headers", {})}
        return self._client.request(method, path, headers=headers, **others)

    def told(self, method: str, path: str, **others: Any) -> Any:
        answer = self.ask(method, path, **others)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def keys_app(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app(needs_keys=True)


@pytest.fixture(scope="module")
def keys_client(keys_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(keys_app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def keys(keys_app: FastAPI, keys_client: TestClient) -> Iterator[Keys]:
    yield Keys(keys_app.state.database)
    assert audit(keys_app.state.database) == []


@pytest.fixture
def make_holder(keys_client: TestClient, keys: Keys) -> Callable[..., Holder]:
    return lambda **settings: Holder(keys_client, keys, **{"name": "laptop", **settings})


@pytest.fixture
def admin(make_holder: Callable[..., Holder]) -> Holder:
    return make_holder(name="operator", is_admin=True)


def refused(answer: Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    detail: str = answer.json()["detail"]
    return detail


def test_an_admin_makes_a_key_and_it_works_at_once(keys_client: TestClient, admin: Holder) -> None:
    answer = admin.ask("POST", "/v1/keys", json={"name": "shop", "owner": "alice", "tier": "paid", "grant": 500})
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert {made["owner"], made["tier"], made["balance"], made["admin"]} == {"alice", "paid", 500, False}
    assert made["revoked_at"] is None
    assert made["key"].startswith("jina_")
    assert len(made["key"]) == 65
    headers = {"Authorization": f"Bearer {made['key']}"}
    told = keys_client.get("/v1/account", headers=headers).json()
    assert {name: told[name] for name in made if name != "key"} == {k: v for k, v in made.items() if k != "key"}
    assert told["limits"]["embeddings"] == {
        "requests_per_minute": 500, "tokens_per_minute": 2_000_000, "concurrent": 50,
    }  # fmt: skip
    assert "key" not in admin.told("GET", f"/v1/keys/{made['id']}")


def test_what_is_left_out_or_null_of_a_key(admin: Holder) -> None:
    for body in ({"name": "a"}, {"name": "a", "owner": None, "tier": None, "admin": None, "grant": None}):
        made = admin.told("POST", "/v1/keys", json=body)
        assert (made["tier"], made["balance"], made["admin"]) == ("free", FREE_GRANT, False)
        assert made["owner"].startswith("owner_")
    assert admin.told("POST", "/v1/keys", json={"name": "a", "grant": 0})["balance"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": ""}, {"name": "two\nlines"}, {"name": "\x00"}, {"name": "\ud800"}, {"name": "a" * 201},
        {"name": 5}, {"name": "a", "owner": "b\x00"}, {"name": "a", "tier": "gold"}, {"name": "a", "tier": "none"},
        {"name": "a", "grant": -1}, {"name": "a", "grant": 10**15 + 1}, {"name": "a", "grant": 10**30},
        {"name": "a", "grant": 1.5},
    ],
)  # fmt: skip
def test_keys_that_are_not_made(admin: Holder, body: dict[str, Any]) -> None:
    before = len(admin.told("GET", "/v1/keys", params={"limit": 500})["data"])
    content = json.dumps(body)
    refused(admin.ask("POST", "/v1/keys", content=content, headers={"Content-Type": "application/json"}), 422)
    assert len(admin.told("GET", "/v1/keys", params={"limit": 500})["data"]) == before


def test_owners_list_their_keys_page_by_page_and_admins_all(make_holder: Callable[..., Holder], admin: Holder) -> None:
    first = make_holder(owner="lister")
    ids = [first.id] + [make_holder(owner="lister", name=f"key {number}").id for number in range(4)]
    make_holder(owner="another")
    assert [each["id"] for each in first.told("GET", "/v1/keys")["data"]] == ids[::-1]
    found, after, pages = [], None, 0
    while pages == 0 or after:
        page = first.told("GET", "/v1/keys", params={"limit": 2, **({"after": after} if after else {})})
        found += [each["id"] for each in page["data"]]
        after, pages = page["after"], pages + 1
    assert (found, pages) == (ids[::-1], 3)
    everybody = {each["owner"] for each in admin.told("GET", "/v1/keys", params={"limit": 500})["data"]}
    assert everybody >= {"lister", "another", admin.owner}
    only = admin.told("GET", "/v1/keys", params={"owner": "lister", "limit": 5})
    assert ([each["id"] for each in only["data"]], only["after"]) == (ids[::-1], None)
    assert admin.told("GET", "/v1/keys", params={"owner": "nobody"}) == {"data": [], "after": None}
    assert first.told("GET", "/v1/keys", params={"owner": "lister", "limit": 1})["data"][0]["id"] == ids[-1]


def test_owners_rename_and_admins_choose_tiers(make_holder: Callable[..., Holder], admin: Holder) -> None:
    one, other = make_holder(owner="renamer"), make_holder(owner="renamer", name="old")
    assert one.told("PATCH", f"/v1/keys/{other.id}", json={"name": "new"})["name"] == "new"
    assert one.told("PATCH", f"/v1/keys/{other.id}", json={})["name"] == "new"
    refused(one.ask("PATCH", f"/v1/keys/{one.id}", json={"tier": "premium"}), 403)
    refused(one.ask("PATCH", f"/v1/keys/{one.id}", json={"tier": "premium", "name": "x"}), 403)
    refused(admin.ask("PATCH", f"/v1/keys/{one.id}", json={"tier": "gold"}), 422)
    assert admin.told("PATCH", f"/v1/keys/{one.id}", json={"tier": "premium"})["tier"] == "premium"
    assert one.told("GET", "/v1/account")["limits"]["embeddings"]["requests_per_minute"] == 5000


def test_a_revoked_key_is_no_key_from_that_moment(make_holder: Callable[..., Holder]) -> None:
    one, other = make_holder(owner="revoker"), make_holder(owner="revoker")
    assert other.ask("GET", "/v1/account").status_code == 200  # it is remembered for a while
    revoked = one.told("DELETE", f"/v1/keys/{other.id}")
    assert revoked["revoked_at"]
    refused(other.ask("GET", "/v1/account"), 401)
    assert one.told("DELETE", f"/v1/keys/{other.id}") == revoked
    shown = one.told("GET", f"/v1/keys/{other.id}")
    assert shown == revoked
    # What it had left is its owner's still.
    moved = one.told("POST", "/v1/transfers", json={"from": other.id, "to": one.id, "tokens": FREE_GRANT})
    assert (moved["from"]["balance"], moved["to"]["balance"]) == (0, 2 * FREE_GRANT)
    told = refused(one.ask("POST", "/v1/transfers", json={"from": one.id, "to": other.id, "tokens": 1}), 400)
    assert "revoked" in told
    assert one.told("DELETE", f"/v1/keys/{one.id}")["revoked_at"]
    refused(one.ask("GET", "/v1/account"), 401)


def test_grants_and_transfers_happen_once_a_name(make_holder: Callable[..., Holder], admin: Holder) -> None:
    one, other = make_holder(owner="saver"), make_holder(owner="saver")
    once = {"Idempotency-Key": "monday"}
    for _ in range(3):
        granted = admin.told("POST", f"/v1/keys/{one.id}/grant", json={"tokens": 7, "note": "thanks"}, headers=once)
        assert granted["balance"] == FREE_GRANT + 7
    body = {"from": one.id, "to": other.id, "tokens": 5}
    for _ in range(3):
        moved = one.told("POST", "/v1/transfers", json=body, headers=once)
        assert (moved["from"]["balance"], moved["to"]["balance"]) == (FREE_GRANT + 2, FREE_GRANT + 5)
    told = refused(one.ask("POST", "/v1/transfers", json={**body, "tokens": 6}, headers=once), 400)
    assert "another transfer" in told
    # The same name of another caller is another name, and without one each counts.
    assert admin.told("POST", "/v1/transfers", json=body, headers=once)["to"]["balance"] == FREE_GRANT + 10
    assert other.told("POST", "/v1/transfers", json=body, headers=once)["to"]["balance"] == FREE_GRANT + 15
    for balance in (20, 25):
        assert one.told("POST", "/v1/transfers", json=body)["to"]["balance"] == FREE_GRANT + balance
    for name in ("", "a" * 129):
        refused(one.ask("POST", "/v1/transfers", json=body, headers={"Idempotency-Key": name}), 422)


def test_transfers_never_go_below_zero_or_to_itself(make_holder: Callable[..., Holder]) -> None:
    one, other = make_holder(owner="spender", grant=10), make_holder(owner="spender", grant=0)
    assert "10 tokens" in refused(
        one.ask("POST", "/v1/transfers", json={"from": one.id, "to": other.id, "tokens": 11}), 400
    )
    refused(one.ask("POST", "/v1/transfers", json={"from": one.id, "to": one.id, "tokens": 1}), 400)
    for tokens in (0, -1, 10**15 + 1, "many"):
        refused(one.ask("POST", "/v1/transfers", json={"from": one.id, "to": other.id, "tokens": tokens}), 422)
    assert one.told("GET", "/v1/account")["balance"] == 10


def test_only_admins_make_keys_and_grant(make_holder: Callable[..., Holder]) -> None:
    one = make_holder()
    for key_id in (one.id, "key_0123456789abcdef", "nonsense"):  # which tells nothing of which there are
        refused(one.ask("POST", f"/v1/keys/{key_id}/grant", json={"tokens": 1}), 403)
    refused(one.ask("POST", "/v1/keys", json={"name": "mine", "owner": one.owner}), 403)
    refused(one.ask("GET", "/v1/keys", params={"owner": "alice"}), 403)
    refused(one.ask("GET", "/v1/usage", params={"owner": "alice"}), 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/keys/{}"), ("PATCH", "/v1/keys/{}"), ("DELETE", "/v1/keys/{}"), ("GET", "/v1/entries?key={}"),
     ("GET", "/v1/usage?key={}"), ("GET", "/v1/keys?after={}")],
)  # fmt: skip
def test_anothers_key_is_as_unknown_as_none(make_holder: Callable[..., Holder], method: str, path: str) -> None:
    one, other = make_holder(), make_holder()
    body = {"json": {"name": "mine"}} if method == "PATCH" else {}
    for key_id in (other.id, "key_0123456789abcdef", "nonsense", "%00", other.secret):
        assert refused(one.ask(method, path.format(key_id), **body), 404) == NO_SUCH
    answer = one.ask(method, path.format(one.id), **body)
    assert answer.status_code == 200


def test_usage_by_day_product_model_and_key(make_holder: Callable[..., Holder], admin: Holder) -> None:
    one, other = make_holder(owner="user"), make_holder(owner="user")
    for holder, texts in ((one, ["a"]), (one, ["a", "b"]), (other, ["a"])):
        holder.told("POST", "/v1/embeddings", json={"model": MODEL, "input": texts})
    refused(one.ask("POST", "/v1/embeddings", json={"model": "none", "input": ["a"]}), 400)
    one.told("POST", "/v1/segment", json={"content": "free of charge"})
    today = datetime.now(UTC).date()
    told = one.told("GET", "/v1/usage")
    assert (told["since"], told["until"]) == (str(today - timedelta(29)), str(today))
    [embedded] = [row for row in told["data"] if row["product"] == "embeddings"]
    tokens = embedded["tokens"]
    assert tokens > 0
    assert embedded == {
        "day": str(today), "product": "embeddings", "model": MODEL, "requests": 3, "items": 4, "tokens": tokens,
    }  # fmt: skip
    by_key = one.told("GET", "/v1/usage", params={"by": "key"})
    assert {row["key"]: row["tokens"] for row in by_key["data"]} == {one.id: tokens * 3 // 4, other.id: tokens // 4}
    assert {row["name"] for row in by_key["data"]} == {"laptop"}
    make_holder(owner="neighbour").told("POST", "/v1/segment", json={"content": "free of charge"})
    [mine] = one.told("GET", "/v1/usage", params={"by": "owner"})["data"]
    assert (mine["owner"], mine["tokens"]) == ("user", tokens)
    owners = admin.told("GET", "/v1/usage", params={"by": "owner"})["data"]
    assert mine in owners
    assert "neighbour" in {row["owner"] for row in owners}
    assert by_key["total"]["tokens"] == tokens
    only = one.told("GET", "/v1/usage", params={"by": "", "key": other.id})
    assert only["data"][0]["tokens"] == only["total"]["tokens"] == tokens // 4
    assert admin.told("GET", "/v1/usage", params={"owner": "user"})["total"]["tokens"] == tokens
    everybody = admin.told("GET", "/v1/usage", params={"by": "key"})["data"]
    assert {one.id, other.id} <= {row["key"] for row in everybody}
    past = one.told("GET", "/v1/usage", params={"until": str(today - timedelta(1)), "since": str(today - timedelta(9))})
    assert (past["data"], past["total"]["tokens"]) == ([], 0)
    # What was charged is what the balance is short of, and what the statement says.
    assert one.told("GET", "/v1/account")["balance"] == FREE_GRANT - tokens * 3 // 4
    entries = one.told("GET", "/v1/entries", params={"limit": 500})["data"]
    assert sum(entry["tokens"] for entry in entries) == FREE_GRANT - tokens * 3 // 4


@pytest.mark.parametrize(
    "query",
    [{"by": "hour"}, {"since": "2026-02-30"}, {"since": "2020-01-01", "until": "2021-02-01"}, {"owner": "a\x00"},
     {"since": "2026-01-02", "until": "2026-01-01"}],
)  # fmt: skip
def test_usage_that_makes_no_sense(admin: Holder, query: dict[str, str]) -> None:
    refused(admin.ask("GET", "/v1/usage", params=query), 422)


def test_the_statement_of_a_key_page_by_page(make_holder: Callable[..., Holder], admin: Holder) -> None:
    one, other = make_holder(owner="reader"), make_holder(owner="reader")
    admin.told("POST", f"/v1/keys/{one.id}/grant", json={"tokens": 1, "note": "first"})
    one.told("POST", "/v1/transfers", json={"from": one.id, "to": other.id, "tokens": 2})
    whole = one.told("GET", "/v1/entries")
    assert whole["key"] == one.id
    kinds = [(each["kind"], each["tokens"], each["other"], each["note"]) for each in whole["data"]]
    assert [kind for kind in kinds if kind[0] != "charge"] == [
        ("transfer", -2, other.id, ""), ("grant", 1, "", "first"), ("grant", FREE_GRANT, "", ""),
    ]  # fmt: skip
    page = one.told("GET", "/v1/entries", params={"limit": 1, "after": whole["data"][0]["id"], "key": one.id})
    assert page["data"] == whole["data"][1:2]
    assert page["after"] == page["data"][0]["id"]
    last = one.told("GET", "/v1/entries", params={"after": whole["data"][-1]["id"]})
    assert (last["data"], last["after"]) == ([], None)
    assert other.told("GET", "/v1/entries", params={"key": one.id})["data"][-3:] == whole["data"][-3:]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/account"), ("GET", "/v1/keys"), ("POST", "/v1/keys"), ("GET", "/v1/keys/key_0123456789abcdef"),
     ("GET", "/v1/usage"), ("GET", "/v1/entries"), ("POST", "/v1/transfers")],
)  # fmt: skip
def test_a_service_without_keys_says_so(client: TestClient, method: str, path: str) -> None:
    told = refused(client.request(method, path, headers={"Authorization": "Bearer any"}), 404)
    assert "--keys" in told


def test_all_of_it_on_postgresql(make_app: Callable[..., FastAPI], make_postgres_url: Callable[[], str]) -> None:
    app = make_app(needs_keys=True, playground=False, database_url=make_postgres_url())
    with TestClient(app, raise_server_exceptions=False) as client:
        keys = Keys(app.state.database)
        admin = Holder(client, keys, name="operator", is_admin=True)
        one, other = (Holder(client, keys, name=name, owner="alice") for name in ("laptop", "phone"))
        made = admin.told("POST", "/v1/keys", json={"name": "server", "owner": "alice", "tier": "paid", "grant": 5})
        listed = one.told("GET", "/v1/keys", params={"limit": 2})
        assert [each["id"] for each in listed["data"]] == [made["id"], other.id]
        rest = one.told("GET", "/v1/keys", params={"limit": 2, "after": listed["after"]})
        assert ([each["id"] for each in rest["data"]], rest["after"]) == ([one.id], None)
        one.told("POST", "/v1/embeddings", json={"model": MODEL, "input": ["a", "b"]})
        for _ in range(2):
            once = {"headers": {"Idempotency-Key": "monday"}}
            admin.told("POST", f"/v1/keys/{one.id}/grant", json={"tokens": 7}, **once)
            one.told("POST", "/v1/transfers", json={"from": one.id, "to": made["id"], "tokens": 3}, **once)
        rows = one.told("GET", "/v1/usage", params={"by": "key,product"})["data"]
        [used] = [row for row in rows if row["tokens"]]
        assert (used["key"], used["product"], used["requests"], used["items"]) == (one.id, "embeddings", 1, 2)
        balance = one.told("GET", "/v1/account")["balance"]
        assert balance == FREE_GRANT + 4 - used["tokens"] < FREE_GRANT + 4
        entries = [each for each in one.told("GET", "/v1/entries")["data"] if each["tokens"]]
        assert [each["kind"] for each in entries] == ["transfer", "grant", "charge", "grant"]
        assert one.told("PATCH", f"/v1/keys/{other.id}", json={"name": "lost"})["name"] == "lost"
        assert one.told("DELETE", f"/v1/keys/{other.id}")["revoked_at"]
        refused(other.ask("GET", "/v1/account"), 401)
        refused(admin.ask("GET", "/v1/keys/key_0123456789abcdef"), 404)
        assert audit(app.state.database) == []


@pytest.fixture(scope="module")
def schema(keys_app: FastAPI, keys_client: TestClient) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", keys_app)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/account"), ("GET", "/v1/keys"), ("POST", "/v1/keys"), ("GET", "/v1/keys/{key_id}"),
     ("PATCH", "/v1/keys/{key_id}"), ("POST", "/v1/keys/{key_id}/grant"), ("POST", "/v1/transfers"),
     ("GET", "/v1/usage"), ("GET", "/v1/entries")],
)  # fmt: skip
@settings(max_examples=16, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_to_an_admin_is_documented(
    schema: Any, admin: Holder, method: str, path: str, data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(schema[path][method].as_strategy(generation_mode=mode))
    if "key_id" in path and data.draw(st.booleans()):
        case.path_parameters["key_id"] = admin.id
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {admin.secret}"}
    case.call_and_validate(
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    )
