"""Keys found in memory: what is asked of the database, when, and what is never forgotten or kept too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from ledgers import empty
from sqlalchemy import event

from jina_components.service.accounts.keys import Keys, digest_of
from jina_components.service.accounts.known import KnownKeys
from jina_components.service.database import Database
from jina_components.service.errors import Problem


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def database(make_database_url: Callable[[], str]) -> Iterator[Database]:
    database = Database(make_database_url())
    yield database
    database.close()


@pytest.fixture
def keys(database: Database) -> Keys:
    empty(database)
    return Keys(database)


@pytest.fixture
def asked(database: Database) -> Iterator[list[int]]:
    """How many digests each query was for."""
    asked: list[int] = []

    def note(_db: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "digest IN" in statement:
            asked.append(len(parameters))

    event.listen(database.open(), "before_cursor_execute", note)
    yield asked
    event.remove(database.open(), "before_cursor_execute", note)


@pytest.fixture
async def known(keys: Keys) -> AsyncIterator[KnownKeys]:
    known = KnownKeys(keys, most=10, clock=Clock())
    yield known
    await known.close()


async def test_right_and_wrong_ones_are_asked_for_once(keys: Keys, known: KnownKeys, asked: list[int]) -> None:
    key, secret = keys.create(name="a")
    for _ in range(3):
        assert await known.find(secret) == key
        assert await known.find("wrong") is None
    assert asked == [1, 1]


async def test_they_are_asked_for_again_after_a_while(keys: Keys, known: KnownKeys, asked: list[int]) -> None:
    _, secret = keys.create(name="a")
    for now in (0, 1.9, 2.1, 3.9, 4.2):
        known._clock.now = now
        await known.find(secret)
    assert asked == [1, 1, 1]


async def test_those_in_use_are_asked_for_anew_together_before_they_are_too_old(keys: Keys, asked: list[int]) -> None:
    known = KnownKeys(keys, seconds=0.2, clock=Clock())
    made = [keys.create(name="a") for _ in range(20)]
    for _ in range(3):
        for key, secret in made:
            assert await known.find(secret) == key
    asked.clear()
    known._clock.now += 0.15
    for _ in range(3):
        for key, secret in made[:15]:
            assert await known.find(secret) == key
    while any(known._right[digest_of(secret)].at < known._clock.now for _, secret in made[:15]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    known._clock.now += 0.09
    for _, secret in made[:15]:
        await known.find(secret)
    assert asked == [15]
    await known.find(made[-1][1])
    assert asked == [15, 1]
    await known.close()


async def test_what_another_process_changes_is_seen_soon_also_of_those_in_use(
    keys: Keys, known: KnownKeys, database: Database
) -> None:
    key, secret = keys.create(name="a")
    assert await known.find(secret) == key
    generation = database.generation
    revoked = keys.revoke(key.id)
    database.generation = generation  # as if it were another process that did it
    known._clock.now = 1.9
    assert await known.find(secret) == key
    known._clock.now = 2.0
    assert await known.find(secret) == revoked


async def test_many_at_once_are_asked_for_together(keys: Keys, known: KnownKeys, asked: list[int]) -> None:
    made = [keys.create(name="a") for _ in range(20)]
    wanted = [key for key, _ in made] + [None] * 20
    secrets = [secret for _, secret in made] + [f"wrong {number}" for number in range(20)]
    assert await asyncio.gather(*map(known.find, secrets)) == wanted
    assert sum(asked) == 40
    assert len(asked) < 5


async def test_what_this_process_changes_is_seen_at_once(keys: Keys, known: KnownKeys, database: Database) -> None:
    key, secret = keys.create(name="a")
    other, _ = keys.create(name="b")
    elsewhere = Keys(database)  # as the routes have one
    assert await known.find(secret) == key
    for change in (
        lambda: elsewhere.change(key.id, tier="paid"),
        lambda: elsewhere.grant(key.id, 1),
        lambda: elsewhere.transfer(key.id, other.id, 2)[0],
        lambda: elsewhere.revoke(key.id),
    ):
        changed = change()
        assert await known.find(secret) == changed
    assert changed.revoked_at is not None


async def test_a_key_made_after_its_secret_was_tried_is_found(keys: Keys, known: KnownKeys, monkeypatch) -> None:
    secret = "jina_" + "a" * 60
    assert await known.find(secret) is None
    monkeypatch.setattr("secrets.choice", lambda _: "a")
    key, made = keys.create(name="a")
    assert made == secret
    assert await known.find(secret) == key


async def test_a_change_while_it_is_looked_up_is_not_missed(keys: Keys, known: KnownKeys, database: Database) -> None:
    key, secret = keys.create(name="a")
    looked, changed = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        if not looked.is_set():
            looked.set()
            changed.wait()

    event.listen(database.open(), "after_cursor_execute", wait)
    try:
        finding = asyncio.create_task(known.find(secret))
        await asyncio.to_thread(looked.wait)
        revoked = await asyncio.to_thread(keys.revoke, key.id)
    finally:
        changed.set()
    assert await finding == key
    event.remove(database.open(), "after_cursor_execute", wait)
    assert await known.find(secret) == revoked


async def test_the_balance_follows_what_is_spent(keys: Keys, known: KnownKeys) -> None:
    key, secret = keys.create(name="a", grant=10)
    known.spent(key.id, 1)  # of one that nobody asked for
    await known.find(secret)
    known.spent(key.id, 4)
    known.spent(key.id, 7)
    assert (await known.find(secret)).balance == -1
    known._clock.now = 3
    assert (await known.find(secret)).balance == 10


async def test_a_flood_of_wrong_ones_leaves_the_right_ones(keys: Keys, known: KnownKeys, asked: list[int]) -> None:
    key, secret = keys.create(name="a")
    await known.find(secret)
    for number in range(100):
        await known.find(f"wrong {number}")
    asked.clear()
    assert await known.find(secret) == key
    assert await known.find("wrong 99") is None
    assert asked == []
    assert len(known._wrong) == 10


async def test_the_longest_known_make_room(keys: Keys, known: KnownKeys, asked: list[int]) -> None:
    made = [keys.create(name="a", grant=1) for _ in range(15)]
    for _, secret in made:
        await known.find(secret)
    assert len(known._right) == len(known._by_id) == 10
    asked.clear()
    assert [await known.find(secret) for _, secret in made[5:]] == [key for key, _ in made[5:]]
    assert asked == []
    assert await known.find(made[0][1]) == made[0][0]


async def test_no_secret_is_kept(keys: Keys, known: KnownKeys) -> None:
    _, secret = keys.create(name="a")
    await known.find(secret)
    assert list(known._right) == [digest_of(secret)]
    assert secret not in repr(list(known._right.values()))


async def test_a_database_that_fails_is_told_of(keys: Keys, known: KnownKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = keys.create(name="a")

    def cut(_db: object, cursor: object, *_: object) -> None:
        cursor.connection.close()

    event.listen(keys.database.open(), "before_cursor_execute", cut)
    try:
        with pytest.raises(Problem) as told:
            await known.find(secret)
    finally:
        event.remove(keys.database.open(), "before_cursor_execute", cut)
    assert told.value.status == 503
    assert await known.find(secret) is not None, "the failure was remembered"
