"""Keys: made, found, granted, transferred and revoked."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledgers import NOW, charge, charged, empty

from jina_components.errors import InputError, UnknownNameError
from jina_components.service.accounts.audit import audit
from jina_components.service.accounts.keys import FREE_GRANT, MAX_TOKENS, Keys
from jina_components.service.accounts.usage import entries
from jina_components.service.database import Database
from jina_components.testing.assertions import in_threads


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


class TestSecrets:
    def test_one_is_65_characters_and_finds_its_key(self, keys: Keys) -> None:
        made = [keys.create(name=f"key {number}") for number in range(20)]
        secrets = {secret for _, secret in made}
        assert len(secrets) == 20
        assert all(re.fullmatch(r"jina_[A-Za-z0-9]{60}", secret) for secret in secrets)
        assert len(set("".join(secrets))) == 63, "some characters are never taken"
        assert [keys.find(secret) for _, secret in made] == [key for key, _ in made]

    def test_others_find_nothing(self, keys: Keys) -> None:
        _, secret = keys.create(name="a")
        key, _ = keys.create(name="b")
        near = [secret[:-1], f"{secret}a", secret.lower(), f" {secret}", secret[:30], key.id]
        for other in [*near, "", "jina_", "ключ", "\0", "\ud800", "x" * 100_000]:
            assert keys.find(other) is None

    def test_a_digest_is_no_secret(self, keys: Keys) -> None:
        _, secret = keys.create(name="a")
        assert keys.find(hashlib.sha256(secret.encode()).hexdigest()) is None

    def test_it_is_nowhere_in_the_database(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
        keys = Keys(database)
        key, secret = keys.create(name="a")
        keys.revoke(key.id)
        database.close()
        everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert hashlib.sha256(secret.encode()).digest() in everything
        assert secret[5:25].encode() not in everything

    def test_it_is_in_no_error(self, keys: Keys) -> None:
        _, secret = keys.create(name="a")
        for call in (keys.get, keys.revoke, keys.change, lambda given: keys.grant(given, 1)):
            with pytest.raises(UnknownNameError) as failed:
                call(secret)
            assert secret[5:15] not in str(failed.value)


class TestKeys:
    def test_a_new_one_has_the_free_grant_as_its_first_entry(self, keys: Keys, database: Database) -> None:
        key, _ = keys.create(name="of mine")
        assert re.fullmatch("key_[0-9a-f]{16}", key.id)
        assert (key.name, key.tier, key.is_admin, key.balance) == ("of mine", "free", False, FREE_GRANT)
        assert (key.created_at, key.revoked_at) == (NOW, None)
        [first] = entries(database, key.id)
        assert (first.entry.kind, first.entry.tokens) == ("grant", FREE_GRANT)
        assert keys.create(name="b")[0].owner != key.owner
        assert keys.get(key.id) == key

    def test_all_of_it_can_be_said(self, keys: Keys, database: Database) -> None:
        key, _ = keys.create(name="n", owner="o", tier="premium", is_admin=True, grant=0)
        assert (key.owner, key.tier, key.is_admin, key.balance) == ("o", "premium", True, 0)
        assert entries(database, key.id) == []

    def test_they_are_listed_page_by_page_the_newest_first(self, keys: Keys) -> None:
        made = [keys.create(name=f"{number}", owner="even" if number % 2 == 0 else "odd")[0] for number in range(7)]
        made.reverse()
        assert keys.list() == made
        assert keys.list(owner="odd") == made[1::2]
        pages = [keys.list(limit=3)]
        while pages[-1]:
            pages.append(keys.list(limit=3, after=pages[-1][-1].id))
        assert [key for page in pages for key in page] == made
        assert keys.list(owner="even", after=made[2].id) == made[4::2]
        assert keys.list(owner="nobody") == []

    def test_those_of_one_moment_are_listed_once(self, database: Database, keys: Keys) -> None:
        together = Keys(database, clock=lambda: NOW)
        made = {together.create(name="a")[0].id for _ in range(5)}
        first = keys.list(limit=2)
        rest = keys.list(after=first[-1].id)
        assert {key.id for key in first + rest} == made
        assert len(first + rest) == 5

    def test_one_is_revoked_once_and_stays_found(self, keys: Keys) -> None:
        key, secret = keys.create(name="a")
        revoked = keys.revoke(key.id)
        assert revoked.revoked_at is not None
        assert keys.revoke(key.id) == revoked == keys.find(secret)

    def test_name_and_tier_change(self, keys: Keys) -> None:
        key, _ = keys.create(name="a")
        assert keys.change(key.id, name="b").name == "b"
        changed = keys.change(key.id, tier="paid")
        assert (changed.name, changed.tier) == ("b", "paid")
        assert keys.change(key.id) == changed

    @pytest.mark.parametrize("given", ["", "x" * 201, "two\nlines", "\0", "\ud800", "\x1b[2J"])
    def test_texts_that_cannot_be_shown_are_refused(self, keys: Keys, given: str) -> None:
        key, _ = keys.create(name="a")
        for call in (
            lambda: keys.create(name=given),
            lambda: keys.change(key.id, name=given),
            lambda: keys.change(key.id, tier=given),
        ):
            with pytest.raises(InputError, match="must have 1 to 200 printable characters"):
                call()
        if given:
            with pytest.raises(InputError, match="reference must have"):
                keys.grant(key.id, 1, reference=given)

    @pytest.mark.parametrize("id", ["", "key_", "key_0123456789abcdef", "key_0123456789abcdef\0", "\0", "\ud800"])
    def test_unknown_ids_are_told(self, keys: Keys, id: str) -> None:
        other, _ = keys.create(name="a")
        for call in (
            lambda: keys.get(id),
            lambda: keys.revoke(id),
            lambda: keys.change(id, name="b"),
            lambda: keys.grant(id, 1),
            lambda: keys.transfer(other.id, id, 1),
            lambda: keys.transfer(id, other.id, 1),
            lambda: keys.list(after=id or "key"),
        ):
            with pytest.raises(UnknownNameError, match="Unknown key"):
                call()

    def test_limits_of_a_list(self, keys: Keys) -> None:
        for limit in (0, -1, 1001):
            with pytest.raises(InputError, match="limit must be from 1 to 1000"):
                keys.list(limit=limit)


class TestTokens:
    def test_a_grant_adds(self, keys: Keys, database: Database) -> None:
        key, _ = keys.create(name="a", grant=0)
        assert keys.grant(key.id, 5, note="for the winter").balance == 5
        assert keys.grant(key.id, 5).balance == 10
        assert [posted.entry.note for posted in entries(database, key.id)] == ["", "for the winter"]

    def test_one_of_the_same_reference_counts_once(self, keys: Keys) -> None:
        one, other = (keys.create(name="a", grant=0)[0] for _ in range(2))
        for _ in range(2):
            assert keys.grant(one.id, 5, reference="bill 1").balance == 5
        assert keys.grant(other.id, 7, reference="bill 1").balance == 7
        with pytest.raises(InputError, match="The reference 'bill 1' was used for another grant"):
            keys.grant(one.id, 6, reference="bill 1")

    def test_a_transfer_moves(self, keys: Keys, database: Database) -> None:
        source, target = (keys.create(name="a", grant=10)[0] for _ in range(2))
        given, got = keys.transfer(source.id, target.id, 10)
        assert (given.id, given.balance, got.id, got.balance) == (source.id, 0, target.id, 20)
        [sent, _], [received, _] = entries(database, source.id), entries(database, target.id)
        assert (sent.entry.tokens, sent.entry.other) == (-10, target.id)
        assert (received.entry.tokens, received.entry.other) == (10, source.id)

    def test_one_sent_again_happens_once_whatever_happened_since(self, keys: Keys) -> None:
        source, target = (keys.create(name="a", grant=10)[0] for _ in range(2))
        once = keys.transfer(source.id, target.id, 8, reference="1")
        assert keys.transfer(source.id, target.id, 8, reference="1") == once
        keys.revoke(target.id)
        assert keys.transfer(source.id, target.id, 8, reference="1")[0].balance == 2

    def test_references_are_those_of_the_source(self, keys: Keys) -> None:
        one, two, three = (keys.create(name="a", grant=10)[0] for _ in range(3))
        keys.transfer(one.id, two.id, 1, reference="1")
        keys.transfer(two.id, one.id, 2, reference="1")
        with pytest.raises(InputError, match="was used for another transfer"):
            keys.transfer(one.id, three.id, 1, reference="1")
        with pytest.raises(InputError, match="was used for another transfer"):
            keys.transfer(one.id, two.id, 2, reference="1")
        assert [keys.get(key.id).balance for key in (one, two, three)] == [11, 9, 10]

    def test_it_never_takes_a_balance_below_zero(self, keys: Keys) -> None:
        source, target = (keys.create(name="a", grant=10)[0] for _ in range(2))
        with pytest.raises(InputError, match="has 10 tokens, which are less than 11"):
            keys.transfer(source.id, target.id, 11)
        results = in_threads(lambda _: _outcome(lambda: keys.transfer(source.id, target.id, 3)), 8)
        assert Counter(results) == {"done": 3, "InputError": 5}
        assert (keys.get(source.id).balance, keys.get(target.id).balance) == (1, 19)

    def test_crossing_transfers_and_charges_do_not_wait_for_each_other(self, keys: Keys, database: Database) -> None:
        made = [keys.create(name="a", grant=1000)[0].id for _ in range(4)]
        chance = random.Random(11)
        pairs = [chance.sample(made, 2) for _ in range(60)]

        def work(number: int) -> None:
            if number % 2:
                keys.transfer(*pairs[number], 1)
            else:
                charged(database, *(charge(f"{number}-{key}", key, 1) for key in chance.sample(made, 4)))

        in_threads(work, len(pairs))
        assert sum(key.balance for key in keys.list()) == 4000 - 4 * 30

    def test_a_revoked_key_gives_and_does_not_get(self, keys: Keys) -> None:
        revoked, other = (keys.create(name="a", grant=10)[0] for _ in range(2))
        keys.grant(revoked.id, 5, reference="before")
        keys.revoke(revoked.id)
        for call in (lambda: keys.transfer(other.id, revoked.id, 1), lambda: keys.grant(revoked.id, 1)):
            with pytest.raises(InputError, match="is revoked"):
                call()
        assert keys.grant(revoked.id, 5, reference="before").balance == 15  # it was granted then
        assert keys.transfer(revoked.id, other.id, 15)[1].balance == 25

    @pytest.mark.parametrize("tokens", [0, -1, MAX_TOKENS + 1, 2**64])
    def test_amounts_that_are_none(self, keys: Keys, tokens: int) -> None:
        one, other = (keys.create(name="a")[0] for _ in range(2))
        for call in (lambda: keys.grant(one.id, tokens), lambda: keys.transfer(one.id, other.id, tokens)):
            with pytest.raises(InputError, match="tokens must be from 1 to"):
                call()

    def test_a_key_holds_no_more_than_can_be_counted(self, keys: Keys) -> None:
        one, _ = keys.create(name="a", grant=MAX_TOKENS)
        other, _ = keys.create(name="a", grant=1)
        with pytest.raises(InputError, match="which no key may hold"):
            keys.grant(one.id, 1)
        with pytest.raises(InputError, match="which no key may hold"):
            keys.transfer(other.id, one.id, 1)

    def test_not_to_itself(self, keys: Keys) -> None:
        key, _ = keys.create(name="a")
        with pytest.raises(InputError, match="between two keys"):
            keys.transfer(key.id, key.id, 1)


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except InputError as error:
        return type(error).__name__
    return "done"
