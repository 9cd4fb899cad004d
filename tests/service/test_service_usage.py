"""Usage and the ledger; the books are right whatever was done, and done again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ledgers import NOW, charge, charged, empty
from sqlalchemy import delete, insert, update

from jina_components.errors import InputError
from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.entries import fold
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.accounts.usage import entries, usage
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS, USAGE

TODAY, DAY = datetime.fromtimestamp(NOW, UTC).date(), timedelta(1)
ALWAYS = {"since": date(2000, 1, 1), "until": date(2100, 1, 1)}


@pytest.fixture(scope="module")
def database(make_database_url: Callable[[], str]) -> Iterator[Database]:
    database = Database(make_database_url())
    yield database
    database.close()


@pytest.fixture
def keys(database: Database) -> Iterator[Keys]:
    """Over an empty database; the books are right at the end of each test."""
    empty(database)
    ticking = itertools.count(NOW)
    yield Keys(database, clock=lambda: next(ticking))
    assert audit(database) == []


class TestUsage:
    @pytest.fixture
    def key(self, keys: Keys, database: Database) -> str:
        """One with charges on three days, beside others of another owner."""
        mine, other = keys.create(name="a", owner="me")[0].id, keys.create(name="b", owner="you")[0].id
        for days in range(3):
            at = NOW - days * DAY.total_seconds()
            charged(
                database,
                charge(f"1-{days}", mine, 10, items=2),
                charge(f"2-{days}", mine, 5, model="b"),
                charge(f"3-{days}", mine, 0, product="segment", model=""),
                charge(f"4-{days}", other, 1000),
                at=at,
            )
        return mine

    def test_by_day_product_and_model(self, key: str, database: Database) -> None:
        rows = usage(database, key_id=key, since=TODAY - DAY, until=TODAY)
        assert [(row.day, row.product, row.model, row.requests, row.items, row.tokens) for row in rows] == [
            (day, *rest)
            for day in ("2024-02-29", "2024-03-01")
            for rest in (("embeddings", "a", 1, 2, 10), ("embeddings", "b", 1, 1, 5), ("segment", "", 1, 1, 0))
        ]

    def test_summed_up(self, key: str, database: Database) -> None:
        [row] = usage(database, owner="me", by=(), **ALWAYS)
        assert (row.day, row.product, row.model, row.key_id) == ("", "", "", "")
        assert (row.requests, row.items, row.tokens) == (9, 12, 45)
        assert [(row.product, row.tokens) for row in usage(database, owner="me", by=("product",), **ALWAYS)] == [
            ("embeddings", 45), ("segment", 0),
        ]  # fmt: skip
        by_key = {row.key_id: row.tokens for row in usage(database, by=("key_id",), **ALWAYS)}
        assert by_key[key] == 45
        assert sum(by_key.values()) == 3045
        assert {row.name for row in usage(database, by=("day", "key_id"), **ALWAYS)} == {"a", "b"}
        assert [
            (row.owner, row.name, row.requests, row.tokens) for row in usage(database, by=("owner",), **ALWAYS)
        ] == [("me", "", 9, 45), ("you", "", 3, 3000)]

    def test_of_nobody(self, key: str, database: Database) -> None:
        assert usage(database, owner="nobody", **ALWAYS) == []
        assert usage(database, owner="you", key_id=key, **ALWAYS) == []
        [row] = usage(database, owner="nobody", by=(), **ALWAYS)
        assert (row.requests, row.items, row.tokens) == (0, 0, 0)

    def test_by_what_is_not_told(self, database: Database) -> None:
        with pytest.raises(InputError, match="cannot be told by 'hour'"):
            usage(database, by=("hour",), **ALWAYS)

    def test_the_ledger_page_by_page(self, key: str, database: Database) -> None:
        whole = entries(database, key)
        assert [posted.entry.tokens for posted in whole][-1] == FREE_GRANT
        assert len(whole) == 10
        assert entries(database, key, limit=4, before=whole[3].number) == whole[4:8]
        assert [posted.at for posted in whole[:3]] == [NOW - 2 * DAY.total_seconds()] * 3

    def test_charges_sent_again_are_told_and_count_once(self, key: str, database: Database, keys: Keys) -> None:
        fresh = charge("5", key, 1)
        assert charged(database, charge("1-0", key, 10), fresh, fresh) == [fresh]
        assert keys.get(key).balance == FREE_GRANT - 46

    def test_more_rows_than_anybody_reads_are_refused(self, key: str, database: Database, monkeypatch) -> None:
        monkeypatch.setattr("jina_components.service.accounts.usage._MAX_ROWS", 3)
        assert len(usage(database, by=("day",), **ALWAYS)) == 3
        with pytest.raises(InputError, match="more than 3 rows here: take fewer days"):
            usage(database, **ALWAYS)

    def test_what_many_charges_sum_up_to(self, key: str, database: Database) -> None:
        charged(database, *(charge(f"large {number}", key, 1, items=2**31 - 1) for number in range(3)))
        fold(database, TODAY + DAY)
        assert entries(database, key)[-2].entry.items > 2**32

    def test_old_charges_are_folded(self, key: str, database: Database, keys: Keys, monkeypatch) -> None:
        monkeypatch.setattr("jina_components.service.accounts.entries._FOLDED", 2)
        before = [keys.list(), usage(database, **ALWAYS)]
        assert fold(database, TODAY) == 6  # of 6 and of 2
        assert [keys.list(), usage(database, **ALWAYS)] == before
        assert audit(database) == []
        folded = [posted for posted in entries(database, key) if posted.entry.note == "folded"]
        assert [(each.entry.tokens, each.entry.requests, each.entry.items) for each in folded] == [(-30, 6, 8)]
        assert len(entries(database, key)) == 5
        assert fold(database, TODAY) == 0

    def test_charges_of_today_are_never_folded(self, database: Database) -> None:
        with pytest.raises(InputError, match="must be today at the latest"):
            fold(database, datetime.now(UTC).date() + DAY)


class TestAudit:
    """Each of these is what no call can do."""

    @pytest.fixture
    def key(self, database: Database) -> Iterator[str]:
        keys = Keys(database)
        key, other = keys.create(name="a")[0].id, keys.create(name="a")[0].id
        keys.transfer(key, other, 5)
        charged(database, charge(f"charge of {key}", key, 3))
        yield key
        empty(database)

    def test_a_balance(self, key: str, database: Database) -> None:
        with database.transaction() as db:
            db.execute(update(KEYS).where(KEYS.c.id == key).values(balance=7))
        assert audit(database) == [f"Key {key}: its balance is 7, and the sum of its entries 9,999,992."]

    @pytest.mark.parametrize("column", ["tokens", "requests", "items"])
    def test_usage(self, key: str, database: Database, column: str) -> None:
        with database.transaction() as db:
            db.execute(update(USAGE).where(USAGE.c.key_id == key).values({column: 7}))
        [told] = audit(database)
        assert told.startswith(f"Key {key}: its usage has ")
        assert told.endswith("and its charges 1, 1 and 3.")

    def test_usage_of_nothing(self, key: str, database: Database) -> None:
        with database.transaction() as db:
            db.execute(delete(USAGE))
        [told] = audit(database)
        assert told.startswith(f"Key {key}: its usage has 0 requests, 0 items and 0 tokens")

    def test_half_a_transfer(self, key: str, database: Database) -> None:
        half = {
            "reference": f"sent:{key}:x",
            "key_id": key,
            "kind": "transfer",
            "tokens": -5,
            "other": "key",
            "at": NOW,
        }
        with database.transaction() as db:
            db.execute(insert(ENTRIES), half)
            db.execute(update(KEYS).where(KEYS.c.id == key).values(balance=KEYS.c.balance - 5))
        [told] = audit(database)
        assert told.startswith(f"Key {key}: entry ")


class Books(RuleBasedStateMachine):
    """Anything done in any order, and done again, against a model in memory."""

    database: Database

    @initialize()
    def begin(self) -> None:
        empty(self.database)
        self.keys = Keys(self.database)
        self.numbers = itertools.count()
        self.balances: dict[str, int] = {}
        self.spent: Counter[str] = Counter()
        self.revoked: set[str] = set()
        self.done: list[Callable[[], object]] = []  # that may be sent again

    @rule(grant=st.integers(0, 50))
    def create(self, grant: int) -> None:
        key, _ = self.keys.create(name="a", grant=grant)
        self.balances[key.id] = grant

    @precondition(lambda self: self.balances)
    @rule(data=st.data(), tokens=st.integers(1, 50))
    def grant(self, data: st.DataObject, tokens: int) -> None:
        key, reference = self._any(data), f"g{next(self.numbers)}"
        if key in self.revoked:
            with pytest.raises(InputError, match="is revoked"):
                self.keys.grant(key, tokens, reference=reference)
            return
        self._do(lambda: self.keys.grant(key, tokens, reference=reference))
        self.balances[key] += tokens

    @precondition(lambda self: self.balances)
    @rule(data=st.data(), amounts=st.lists(st.integers(0, 30), min_size=1, max_size=5))
    def charge(self, data: st.DataObject, amounts: list[int]) -> None:
        charges = [charge(f"c{next(self.numbers)}", self._any(data), tokens) for tokens in amounts]
        self._do(lambda: charged(self.database, *charges, *charges[:1]))
        for each in charges:
            self.balances[each.key_id] += each.tokens
            self.spent[each.key_id] -= each.tokens

    @precondition(lambda self: len(self.balances) > 1)
    @rule(data=st.data(), tokens=st.integers(1, 60))
    def transfer(self, data: st.DataObject, tokens: int) -> None:
        source, target, reference = self._any(data), self._any(data), f"t{next(self.numbers)}"
        if source == target or target in self.revoked or self.balances[source] < tokens:
            with pytest.raises(InputError):
                self.keys.transfer(source, target, tokens, reference=reference)
            return
        self._do(lambda: self.keys.transfer(source, target, tokens, reference=reference))
        self.balances[source] -= tokens
        self.balances[target] += tokens

    @precondition(lambda self: self.balances)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        key = self._any(data)
        self.keys.revoke(key)
        self.revoked.add(key)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.done))()

    @rule()
    def fold(self) -> None:
        fold(self.database, TODAY + DAY)
        self.done.clear()  # so old that none is sent again

    @invariant()
    def the_books_are_right(self) -> None:
        assert audit(self.database) == []
        assert {key.id: key.balance for key in self.keys.list()} == self.balances
        assert {key.id for key in self.keys.list() if key.revoked_at is not None} == self.revoked
        rows = usage(self.database, by=("key_id",), **ALWAYS)
        assert {row.key_id: row.tokens for row in rows if row.tokens} == {k: n for k, n in self.spent.items() if n}

    def _any(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.balances)))

    def _do(self, call: Callable[[], object]) -> None:
        call()
        self.done.append(call)


def test_the_books_are_right_whatever_is_done(database: Database) -> None:
    Books.database = database
    run_state_machine_as_test(Books, settings=settings(max_examples=10, stateful_step_count=15))
