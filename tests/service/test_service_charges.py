"""Charges: many in one transaction, on the disk when they are acknowledged, and once whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ledgers import charge, empty
from sqlalchemy import event

from jina_components.service.accounts import charges as charges_module
from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.charges import Charges
from jina_components.service.accounts.keys import Keys
from jina_components.service.accounts.usage import entries
from jina_components.service.database import Database, engine
from jina_components.service.database.tables import KEYS
from jina_components.service.errors import Problem


@pytest.fixture(scope="module")
def database(make_database_url: Callable[[], str]) -> Iterator[Database]:
    database = Database(make_database_url())
    yield database
    database.close()


@pytest.fixture
def keys(database: Database) -> Iterator[Keys]:
    empty(database)
    yield Keys(database)
    assert audit(database) == []


@pytest.fixture
async def charges(database: Database) -> AsyncIterator[Charges]:
    charges = Charges(database)
    await charges.open()
    yield charges
    await charges.close()


@pytest.fixture
def commits(database: Database) -> Iterator[list[object]]:
    commits: list[object] = []
    note = commits.append
    event.listen(database.open(), "commit", note)
    yield commits
    event.remove(database.open(), "commit", note)


async def test_one_is_on_the_disk_when_it_is_acknowledged(charges: Charges, keys: Keys, database: Database) -> None:
    key, _ = keys.create(name="a", grant=10)
    await charges.add(charge("1", key.id, 4))
    assert keys.get(key.id).balance == 6
    assert entries(database, key.id)[0].entry == charge("1", key.id, 4)


async def test_many_share_a_transaction(charges: Charges, keys: Keys, commits: list[object]) -> None:
    made = [keys.create(name="a", grant=0)[0] for _ in range(3)]
    commits.clear()
    await asyncio.gather(*(charges.add(charge(f"{n}", made[n % 3].id, n)) for n in range(300)))
    assert len(commits) < 10
    assert sum(keys.get(key.id).balance for key in made) == -sum(range(300))


async def test_one_waits_for_those_that_are_expected(
    charges: Charges, keys: Keys, commits: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charges._gathered, "_pause", 60)
    key, _ = keys.create(name="a", grant=0)
    commits.clear()
    for n in range(3):
        charges.expect(n)
    adding = []
    for n in range(2):
        charges.forget(n)
        adding.append(asyncio.create_task(charges.add(charge(f"{n}", key.id, 1))))
        await asyncio.sleep(0.01)
    assert not commits
    charges.forget(2)
    await charges.add(charge("2", key.id, 1))
    await asyncio.gather(*adding)
    assert len(commits) == 1
    await charges.add(charge("3", key.id, 1))


async def test_one_waits_only_for_a_moment(
    charges: Charges, keys: Keys, commits: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = keys.create(name="a", grant=0)
    commits.clear()
    charges.expect("one that goes on")
    await charges.add(charge("1", key.id, 1))
    assert len(commits) == 1
    monkeypatch.setattr(charges._gathered, "_pause", 60)
    await asyncio.sleep(charges_module._SOON)
    await charges.add(charge("2", key.id, 1))


async def test_what_waits_for_others_is_written_at_the_end(keys: Keys, database: Database) -> None:
    key, _ = keys.create(name="a", grant=0)
    charges = Charges(database)
    charges._gathered._pause = 60
    charges.expect("one that goes on")
    adding = asyncio.create_task(charges.add(charge("1", key.id, 1)))
    await asyncio.sleep(0.01)
    await charges.close()
    await adding
    assert keys.get(key.id).balance == -1


async def test_the_same_counts_once(charges: Charges, keys: Keys) -> None:
    key, _ = keys.create(name="a", grant=0)
    await asyncio.gather(*(charges.add(charge("1", key.id, 4)) for _ in range(10)))
    await charges.add(charge("1", key.id, 4))
    assert keys.get(key.id).balance == -4


async def test_one_that_cannot_be_written_keeps_no_other_back(charges: Charges, keys: Keys) -> None:
    key, _ = keys.create(name="a", grant=0)
    given = [charge(f"{n}", key.id if n != 5 else "key_of_nobody", 1) for n in range(10)]
    results = await asyncio.gather(*map(charges.add, given), return_exceptions=True)
    assert [number for number, result in enumerate(results) if result is not None] == [5]
    assert type(results[5]).__name__ == "IntegrityError"
    assert keys.get(key.id).balance == -9


async def test_one_whose_waiter_is_gone_is_written(charges: Charges, keys: Keys) -> None:
    key, _ = keys.create(name="a", grant=0)
    waiting = [asyncio.create_task(charges.add(charge(f"{n}", key.id, 1))) for n in range(10)]
    await asyncio.sleep(0)
    for each in waiting[::2]:
        each.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False] * 5
    await charges.close()
    assert keys.get(key.id).balance == -10


async def test_what_waits_at_the_end_is_written(keys: Keys, database: Database) -> None:
    key, _ = keys.create(name="a", grant=0)
    charges = Charges(database)
    waiting = [asyncio.create_task(charges.add(charge(f"{n}", key.id, 1))) for n in range(700)]
    await asyncio.sleep(0)
    await charges.close()
    assert keys.get(key.id).balance == -700
    await asyncio.gather(*waiting)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("charges")]


def test_one_whose_loop_is_gone_is_written(keys: Keys, database: Database) -> None:
    key, _ = keys.create(name="a", grant=0)
    charges, locked, go = Charges(database), threading.Event(), threading.Event()

    def hold() -> None:
        with database.transaction() as db:
            db.execute(KEYS.update().values(balance=KEYS.c.balance))
            locked.set()
            go.wait()

    async def leave() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(charges.add(charge("1", key.id, 1)), 0.05)

    holding = threading.Thread(target=hold)
    holding.start()
    locked.wait()
    asyncio.run(leave())
    go.set()
    holding.join()
    asyncio.run(charges.close())
    assert keys.get(key.id).balance == -1


async def test_a_locked_database_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0.01)
    database, other = (Database(f"sqlite:///{tmp_path / 'service.sqlite3'}") for _ in range(2))
    key, _ = Keys(database).create(name="a", grant=0)
    charges = Charges(database, patience=60)
    with other.transaction():
        waiting = asyncio.gather(*(charges.add(charge(f"{n}", key.id, 1)) for n in range(20)))
        while caplog.text.count("database is locked") < 2:  # noqa: ASYNC110 (what is waited for is a line of the log)
            await asyncio.sleep(0.01)
    await waiting
    await charges.close()
    assert Keys(database).get(key.id).balance == -20
    database.close()
    other.close()


async def test_it_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0.01)
    database, other = (Database(f"sqlite:///{tmp_path / 'service.sqlite3'}") for _ in range(2))
    key, _ = Keys(database).create(name="a", grant=0)
    charges = Charges(database, patience=0.1)
    with other.transaction(), pytest.raises(Problem) as told:
        await charges.add(charge("1", key.id, 1))
    assert told.value.status == 503
    await charges.add(charge("2", key.id, 1))
    assert Keys(database).get(key.id).balance == -1
    await charges.close()
    database.close()
    other.close()


class Wire(socketserver.ThreadingTCPServer):
    """Stands before PostgreSQL, and hangs up when it has passed on a commit of charges, before the answer to it."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.port = port
        self.cuts = 0
        self.was_cut = 0


class Passing(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port)) as behind:
            back = threading.Thread(target=self._pass_back, args=(behind,))
            back.start()
            writes = False
            while data := self._received(self.request):
                writes = writes or b"INSERT INTO usage" in data
                if writes and b"COMMIT" in data and self.server.cuts:
                    self.server.cuts -= 1
                    self.server.was_cut += 1
                    self._is_cut = True
                    self.request.shutdown(socket.SHUT_RDWR)
                    behind.sendall(data)
                    break
                behind.sendall(data)
            behind.shutdown(socket.SHUT_WR)
            back.join()

    def _pass_back(self, behind: socket.socket) -> None:
        while data := self._received(behind):
            with contextlib.suppress(OSError):
                self.request.sendall(data)
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def _received(self, side: socket.socket) -> bytes:
        try:
            return side.recv(1 << 16)
        except OSError:
            return b""


async def test_a_commit_that_was_not_heard_of_counts_once(make_postgres_url: Callable[[], str]) -> None:
    url = make_postgres_url()
    direct = Database(url)
    key, _ = Keys(direct).create(name="a", grant=0)
    with Wire(urlsplit(url).port) as wire:
        serving = threading.Thread(target=wire.serve_forever)
        serving.start()
        database = Database(url.replace(f":{wire.port}/", f":{wire.server_address[1]}/"))
        charges = Charges(database, patience=60)
        await charges.open()
        for turn in range(3):
            wire.cuts = 1
            await asyncio.gather(*(charges.add(charge(f"{turn}-{n}", key.id, n)) for n in range(20)))
        assert wire.was_cut == 3
        await charges.close()
        database.close()
        wire.shutdown()
        serving.join()
    assert Keys(direct).get(key.id).balance == -3 * sum(range(20))
    assert len(entries(direct, key.id)) == 60
    assert audit(direct) == []
    direct.close()
