"""What was acknowledged before a kill -9 is there once, and nothing is half there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import charging_process
import pytest
from charging_process import charge
from sqlalchemy import select

from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.entries import Entry, post, transfer
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES

ROUNDS = 12

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL"),
]


@dataclass
class Told:
    """What a process said until it was killed."""

    charges: dict[str, tuple[str, int]] = field(default_factory=dict)  # tried, by reference
    transfers: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)  # secret and grant of those acknowledged
    done: set[str] = field(default_factory=set)  # references acknowledged, and ids revoked

    def hear(self, line: str) -> None:
        match line.split():
            case ["try", "charge", reference, key_id, tokens]:
                self.charges[reference] = (key_id, int(tokens))
            case ["try", "transfer", reference, source, target, tokens]:
                self.transfers[reference] = (source, target, int(tokens))
            case ["done", "key", key_id, secret, grant]:
                self.keys[key_id] = (secret, int(grant))
            case ["done", _, name]:
                self.done.add(name)
            case _:
                raise AssertionError(line)


@pytest.fixture(scope="module")
def launcher() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(charging_process.__file__))]
    paths = os.pathsep.join(str(Path(charging_process.__file__).parents[up]) for up in (0, 2))
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | {"PYTHONPATH": paths},
    ) as process:
        yield process
        process.stdin.close()


def killed(launcher: subprocess.Popen[str], url: str, name: object, until: int, seconds: float) -> Told:
    """What a process said that was killed so long after it had said so many lines."""
    launcher.stdin.write(f"{url} {name}\n")
    child, told = int(launcher.stdout.readline().split()[1]), Told()
    lines = iter(launcher.stdout.readline, "ended\n")
    try:
        for line in islice(lines, until):
            told.hear(line)
        time.sleep(seconds)
    finally:
        os.kill(child, signal.SIGKILL)
    for line in lines:
        told.hear(line)
    return told


@pytest.fixture
def database(make_database_url: Callable[[], str]) -> Iterator[tuple[str, Database]]:
    url = make_database_url()
    database = Database(url)
    yield url, database
    database.close()


def test_what_was_acknowledged_counts_once(launcher: subprocess.Popen[str], database: tuple[str, Database]) -> None:
    url, database = database
    keys, chance = Keys(database), random.Random(11)
    wanted = Counter({keys.create(name="loaded", owner="load")[0].id: FREE_GRANT for _ in range(6)})
    acknowledged = unacknowledged = 0
    for number in range(ROUNDS):
        told = killed(launcher, url, number, chance.randrange(250), chance.random() * 0.02)
        acknowledged += len(told.done)
        unacknowledged += (
            len(told.charges) + len(told.transfers) - len(told.done & (told.charges | told.transfers).keys())
        )
        check_kept(database, told)
        send_again(database, told)
        for key_id, tokens in told.charges.values():
            wanted[key_id] -= tokens
        for source, target, tokens in told.transfers.values():
            wanted[source] -= tokens
            wanted[target] += tokens
        assert {key.id: key.balance for key in keys.list(owner="load")} == wanted
        assert audit(database) == []
    assert acknowledged > 30 * ROUNDS, "it was hardly at work"
    assert unacknowledged > 5 * ROUNDS, "it was hardly killed at work"


def check_kept(database: Database, told: Told) -> None:
    """What was acknowledged is there, and nothing is half there."""
    assert audit(database) == []
    keys = Keys(database)
    statement = select(ENTRIES.c.reference, ENTRIES.c.key_id, ENTRIES.c.tokens).where(
        ENTRIES.c.reference.in_([*told.charges, *(entry.reference for pair in sides(told) for entry in pair)])
    )
    with database.connected() as db:
        kept = {reference: (key_id, tokens) for reference, key_id, tokens in db.execute(statement)}
    for reference, (key_id, tokens) in told.charges.items():
        assert kept.get(reference) == (key_id, -tokens) or (reference not in kept and reference not in told.done)
    for name, (sent, received) in zip(told.transfers, sides(told), strict=True):
        there = {entry.reference in kept for entry in (sent, received)}
        assert there == {True} or (there == {False} and name not in told.done)
    for key_id, (secret, grant) in told.keys.items():
        key = keys.find(secret)
        assert (key.id, key.balance) == (key_id, grant)
        assert key.revoked_at is not None or key_id not in told.done


def sides(told: Told) -> list[tuple[Entry, Entry]]:
    return [transfer(*what, name) for name, what in told.transfers.items()]


def send_again(database: Database, told: Told) -> None:
    """All that was tried, as those do who have heard of no end, or not of all."""
    with database.transaction() as db:
        post(db, [charge(reference, *what) for reference, what in told.charges.items()], time.time())
    for name, what in told.transfers.items():
        Keys(database).transfer(*what, reference=name)


def test_a_database_can_be_opened_whose_first_process_was_killed(
    launcher: subprocess.Popen[str], make_database_url: Callable[[], str]
) -> None:
    chance = random.Random(11)
    for number in range(8):
        url = make_database_url()
        told = killed(launcher, url, number, 0, chance.random() * 0.06)
        database = Database(url)
        try:
            check_kept(database, told)
        finally:
            database.close()
