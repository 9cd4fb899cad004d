"""Every route, asked with the key of an owner, of a stranger and of an admin, with a revoked, a wrong and no key.

What is one owner's no other can see, use or delete: it is as unknown to them as what is not there, in the same words. A
route that has no row in `walked_routes` fails the test.
"""

from __future__ import annotations

import itertools
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NoReturn

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy import select, update
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from walked_routes import LABELS, MODEL, NOTHING, ROWS, STATES, Ask, Ids

from jina_components.service import Components
from jina_components.service.accounts.keys import Keys
from jina_components.service.database.tables import BATCHES, ENTRIES, KEYS, LINES, USAGE
from jina_components.service.finetunes.jobs import FineTune
from jina_components.service.finetunes.store import FineTuneStore
from jina_components.service.limits.tiers import TIERS, Tier

OWNER, STRANGER = "alice-4711", "bob-0815"

Who = Literal["owner", "stranger", "admin", "revoked", "wrong", "none"]
WITHOUT: tuple[Who, ...] = ("revoked", "wrong", "none")


class World:
    """A service, an owner with all that one can have, and others."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.app = app
        self._client = client
        self._keys = Keys(app.state.database)
        self._addresses = itertools.count(1)
        self.owner_key, owner = self._keys.create(name="laptop-4711", owner=OWNER)
        _, stranger = self._keys.create(name="phone", owner=STRANGER)
        _, admin = self._keys.create(name="operator", owner="carol", is_admin=True)
        gone, revoked = self._keys.create(name="lost-4711", owner=OWNER)
        self._keys.revoke(gone.id)
        wrong = f"jina_{secrets.token_hex(30)}"
        self.secrets: dict[Who, str | None] = {
            "owner": owner, "stranger": stranger, "admin": admin, "revoked": revoked, "wrong": wrong, "none": None,
        }  # fmt: skip
        self.batches = {state: self._batch() for state in STATES}
        self.ids = self.made()
        self.restore()

    def ask(self, who: Who, ask: Ask) -> Response:
        """Each request from an address of its own: those that send wrong keys are soon told to stop."""
        number = next(self._addresses)
        transport: Any = self._client._transport
        transport.client = (f"10.0.{number // 250}.{number % 250 + 1}", 50000)
        headers = dict(ask.headers)
        if (secret := self.secrets[who]) is not None:
            headers["Authorization"] = f"Bearer {secret}"
        return self._client.request(ask.method, ask.path, json=ask.body, headers=headers)

    def made(self) -> Ids:
        """What the owner has: batches and a key, and classifiers and another key made just now."""
        components: Components = self.app.state.components
        examples = [("a boat", LABELS[0]), ("a hill", LABELS[1])]
        ids = [
            components.classifiers.create_trained(MODEL, examples, owner=OWNER, access=access, num_iters=1)[0].id
            for access in ("private", "public")
        ]
        second, _ = self._keys.create(name="second-4711", owner=OWNER)
        return Ids(*ids, self.owner_key.id, second.id, self.batches, self._finetune())

    def kept(self) -> dict[str, Any]:
        """All that is the owner's, as it lies on the disk."""
        components: Components = self.app.state.components
        with self.app.state.database.connected() as db:
            ids = select(KEYS.c.id).where(KEYS.c.owner == OWNER)
            numbers = select(BATCHES.c.number).where(BATCHES.c.owner == OWNER)
            statements = {
                "keys": select(KEYS).where(KEYS.c.owner == OWNER),
                "entries": select(ENTRIES).where(ENTRIES.c.key_id.in_(ids)),
                "usage": select(USAGE).where(USAGE.c.key_id.in_(ids)),
                "batches": select(BATCHES).where(BATCHES.c.owner == OWNER),
                "lines": select(LINES).where(LINES.c.batch.in_(numbers)),
            }
            found = {name: sorted(map(repr, db.execute(statement))) for name, statement in statements.items()}
        finetunes = self.app.state.finetunes.store.newest(OWNER, 100)
        return found | {"classifiers": components.classifiers.list(OWNER), "finetunes": finetunes}

    def restore(self) -> None:
        """Give the batches their states; one that has not ended is in the hands of another process."""
        with self.app.state.database.transaction() as db:
            for state, batch_id in self.batches.items():
                is_held = state in ("pending", "processing")
                held = {"holder": "another", "held_until": time.time() + 86_400} if is_held else {}
                db.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(status=state, **held))

    def check_nothing_shown(self, answer: Response) -> None:
        """Neither what is the owner's nor any key is in an answer."""
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        own = (
            self.ids.private,
            self.ids.key,
            self.ids.second_key,
            *self.ids.batches.values(),
            self.ids.finetune,
            "-4711",
        )
        for mark in (*own, *filter(None, self.secrets.values())):
            assert mark not in f"{head}{answer.text}"

    def _finetune(self) -> str:
        """A fine-tuning job that was given up before its turn."""
        store: FineTuneStore = self.app.state.finetunes.store
        job = FineTune(
            id="", owner=OWNER, key_id="", request_id="", model=MODEL, base=MODEL, suffix="boats-4711", documents=1,
            url="", epochs=None, max_steps=None, seed=0, created_at=0.0, status="cancelled",
        )  # fmt: skip
        return store.add(job, [{"text": "a boat"}]).id

    def _batch(self) -> str:
        """A batch of a line that is done, and one that has failed."""
        lines = [
            {"custom_id": "custom-4711-good", "body": {"input": "a boat"}},
            {"custom_id": "custom-4711-bad", "body": {"input": "a boat", "model": "another"}},
        ]
        taken = self.ask("owner", Ask("POST", "/v1/batch/embeddings", {"model": MODEL, "input": lines}))
        assert taken.status_code == 200, taken.text
        batch_id: str = taken.json()["batch_id"]
        while (told := self.ask("owner", Ask("GET", f"/v1/batch/{batch_id}")).json())["status"] != "completed":
            assert told["status"] in ("pending", "processing"), told
            time.sleep(0.01)
        return batch_id


@pytest.fixture(scope="module")
def world(make_app: Callable[..., FastAPI]) -> Iterator[World]:
    # Without limits, but for those of whom has no key: a walk takes more than a minute's requests.
    tiers = {"none": TIERS["none"], "free": Tier({})}
    # The playground opens few paths of its own before all others, which its tests walk.
    app = make_app(needs_keys=True, tiers=tiers, offline=True, playground=False, finetunes=True)
    with pytest.MonkeyPatch.context() as patch, TestClient(app, raise_server_exceptions=False) as client:
        patch.setattr(socket, "getaddrinfo", _unknown)
        yield World(app, client)


def _unknown(*_: Any, **__: Any) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def routes_of(found: Iterable[BaseRoute]) -> Iterator[str]:
    """Method and path of each route, those of routers within included; `*` where it is an application."""
    for route in found:
        within: Any = getattr(route, "original_router", None)
        if within is not None:
            yield from routes_of(within.routes)
        else:
            for method in getattr(route, "methods", None) or {"*"}:
                yield f"{method} {route.path}"  # type: ignore[attr-defined]


def test_every_route_has_a_row(world: World) -> None:
    found = set(routes_of(world.app.routes))
    assert found == ROWS.keys()
    document = {
        f"{method.upper()} {path}" for path, operations in world.app.openapi()["paths"].items() for method in operations
    }
    assert document <= {row.replace(":text}", "}").replace(":path}", "}") for row in found}


def same(one: Response, other: Response) -> bool:
    """Whether two answers are alike but for the ids of their requests."""

    def told(answer: Response) -> Any:
        body = answer.json()
        body.pop("request_id", None)
        ignored = {"x-request-id", "content-length"}
        return answer.status_code, body, {name: each for name, each in answer.headers.items() if name not in ignored}

    return bool(told(one) == told(other))


@pytest.mark.parametrize("route", sorted(ROWS))
def test_without_a_good_key(world: World, route: str) -> None:
    row, (method, _, path) = ROWS[route], route.partition(" ")
    before = world.kept()
    for ask in row.asks(method, path, world.ids):
        for who in WITHOUT:
            answer = world.ask(who, ask)
            world.check_nothing_shown(answer)
            is_let_in = row.open_to == "all" or (row.open_to == "address" and who == "none")
            assert answer.status_code == (row.gives if is_let_in else 401), (who, answer.text)
    assert world.kept() == before


@pytest.mark.parametrize("route", sorted(ROWS))
def test_with_the_key_of_a_stranger(world: World, route: str) -> None:
    row, (method, _, path) = ROWS[route], route.partition(" ")
    before = world.kept()
    gives = 404 if row.owned else 403 if row.open_to == "admin" else row.gives
    unknown = row.asks(method, path, NOTHING)
    for ask, like in zip(row.asks(method, path, world.ids), unknown, strict=True):
        answer = world.ask("stranger", ask)
        world.check_nothing_shown(answer)
        assert answer.status_code == gives, answer.text
        if row.owned or row.open_to == "admin":
            assert same(answer, world.ask("stranger", like))
    assert world.kept() == before


@pytest.mark.parametrize("route", sorted(ROWS))
def test_with_the_key_of_an_admin(world: World, route: str) -> None:
    row, (method, _, path) = ROWS[route], route.partition(" ")
    before, ids = world.kept(), world.made() if method == "DELETE" else world.ids
    unknown = row.asks(method, path, NOTHING)
    for ask, like in zip(row.asks(method, path, ids), unknown, strict=True):
        answer = world.ask("admin", ask)
        if row.admins or row.open_to == "admin":
            assert answer.status_code == row.gives, answer.text
        else:  # keys are theirs to manage, classifiers and batches are not
            world.check_nothing_shown(answer)
            assert answer.status_code == (404 if row.owned else row.gives), answer.text
            assert not row.owned or same(answer, world.ask("admin", like))
            assert world.kept()["batches"] == before["batches"]


@pytest.mark.parametrize("route", sorted(ROWS))
def test_with_the_key_of_the_owner(world: World, route: str) -> None:
    row, (method, _, path) = ROWS[route], route.partition(" ")
    world.restore()
    for ask in row.asks(method, path, world.made() if method == "DELETE" else world.ids):
        gives = 403 if row.open_to == "admin" else row.gives
        if path.endswith(("/output", "/errors")):
            state = next(state for state, batch_id in world.batches.items() if batch_id in ask.path)
            gives = {"pending": 409, "processing": 409, "expired": 404}.get(state, gives)
        answer = world.ask("owner", ask)
        assert answer.status_code == gives, answer.text


@pytest.mark.parametrize(
    ("path", "told"),
    [("/v1/keys?after={}", "data"), ("/v1/usage?key={}&by=key", "total"), ("/v1/entries?key={}", "key")],
)
def test_keys_in_queries(world: World, path: str, told: str) -> None:
    own, none = (Ask("GET", path.format(ids.key)) for ids in (world.ids, NOTHING))
    answer = world.ask("stranger", own)
    world.check_nothing_shown(answer)
    assert answer.status_code == 404
    assert same(answer, world.ask("stranger", none))
    for who in ("owner", "admin"):
        assert told in world.ask(who, own).json()


def test_a_public_classifier_is_everybodys_to_use_alone(world: World) -> None:
    asked = Ask("POST", "/v1/classify", {"classifier_id": world.ids.public, "input": ["a boat"]})
    for who in ("owner", "stranger", "admin"):
        assert world.ask(who, asked).json()["data"][0]["prediction"] in LABELS
    for who in WITHOUT:
        assert world.ask(who, asked).status_code == 401
    for method in ("GET", "POST"):
        listed = {who: world.ask(who, Ask(method, "/v1/classifiers")).json() for who in ("owner", "stranger", "admin")}
        assert {each["classifier_id"] for each in listed["owner"]} >= {world.ids.public, world.ids.private}
        assert listed["stranger"] == listed["admin"] == []
    # Who used it is charged for it.
    rows = world.ask("stranger", Ask("GET", "/v1/usage?by=product")).json()["data"]
    assert next(row for row in rows if row["product"] == "classify")["tokens"] > 0


def test_owners_see_all_that_their_keys_made(world: World) -> None:
    batches = {each["batch_id"] for each in world.ask("owner", Ask("GET", "/v1/batches")).json()}
    assert set(world.batches.values()) <= batches
    keys = {each["id"] for each in world.ask("owner", Ask("GET", "/v1/keys")).json()["data"]}
    assert {world.ids.key, world.ids.second_key} <= keys
    world.restore()
    output = world.ask("owner", Ask("GET", f"/v1/batch/{world.batches['completed']}/output")).text
    failed = world.ask("owner", Ask("GET", f"/v1/batch/{world.batches['completed']}/errors")).text
    assert "custom-4711-good" in output
    assert "custom-4711-bad" in failed
