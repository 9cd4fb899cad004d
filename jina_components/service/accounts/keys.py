"""Keys: made, found, granted tokens, and revoked."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, tuple_, update

from jina_components.errors import InputError, UnknownNameError
from jina_components.service.accounts import entries
from jina_components.service.accounts.entries import Entry
from jina_components.service.database import Database
from jina_components.service.database.tables import ENTRIES, KEYS
from jina_components.types import shorten

FREE_GRANT = 10_000_000
"""Tokens that a new key begins with."""
MAX_TOKENS = 10**15
"""Tokens of one grant or transfer, and the most that a key may hold."""

_PREFIX = "jina_"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 60
_ID = re.compile(r"key_[0-9a-f]{16}")
_MAX_CHARACTERS = 200
_MAX_LISTED = 1000
_SHOWN = [column for column in KEYS.c if column is not KEYS.c.digest]


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; its secret is known to its holder alone.

    Attributes:
        id: Its name: `key_` and 16 hexadecimal digits.
        owner: Whose it is; several keys may have one owner.
        name: What its holder calls it.
        tier: Whose limits it has.
        is_admin: Whether it may manage the keys of others.
        balance: Tokens left. Requests are let in while it is above zero and charged when they are answered, so those
            that were in flight together may take it below.
        created_at: Seconds since 1970.
        revoked_at: Likewise; None while it is good.
    """

    id: str
    owner: str
    name: str
    tier: str
    is_admin: bool
    balance: int
    created_at: float
    revoked_at: float | None


class Keys:
    """The keys of a database. Threads and processes may share it.

    What changes something is on the disk when it returns. All raise Problem 503 where the database fails, and
    `UnknownNameError` for an id that is none.

    Args:
        database: Where they are kept.
        clock: Seconds since 1970.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock

    def create(
        self, *, name: str, owner: str = "", tier: str = "free", is_admin: bool = False, grant: int = FREE_GRANT
    ) -> tuple[Key, str]:
        """Make a key.

        Args:
            name: What its holder calls it.
            owner: Whose it is; empty for an owner of its own.
            tier: Whose limits it has.
            is_admin: Whether it may manage the keys of others.
            grant: Tokens that it begins with.

        Returns:
            The key, and its secret: `jina_` and 60 letters and digits, which can never be had again.

        Raises:
            InputError: a text is empty, too long or has control characters; the grant is below zero or too large.
        """
        if grant:
            _check_tokens(grant)
        made, secret = f"key_{secrets.token_hex(8)}", _PREFIX + "".join(map(secrets.choice, [_ALPHABET] * _LENGTH))
        row = {
            "id": made, "digest": digest_of(secret), "owner": _plain("owner", owner or f"owner_{secrets.token_hex(8)}"),
            "name": _plain("name", name), "tier": _plain("tier", tier), "is_admin": is_admin, "balance": 0,
            "created_at": self._clock(),
        }  # fmt: skip
        with self._changing() as db:
            db.execute(insert(KEYS), row)
            if grant:
                self._post(db, Entry(reference=f"first:{made}", key_id=made, kind="grant", tokens=grant))
            return _one(db, made), secret

    def find(self, secret: str) -> Key | None:
        """The key that a secret is of, also if it was revoked; None where there is none."""
        return self.find_all([digest_of(secret)])[0]

    def find_all(self, digests: Sequence[bytes]) -> list[Key | None]:
        """`find` by what `digest_of` the secrets is, of many in one look-up; in their order."""
        statement = select(KEYS.c.digest, *_SHOWN).where(KEYS.c.digest.in_(set(digests)))
        with self.database.connected() as db:
            found = {bytes(digest): (bytes(digest), Key(*row)) for digest, *row in db.execute(statement)}
        # Which digests are alike tells nothing of the secrets; comparing them in constant time relies on that no more.
        kept = [found.get(asked, (b"", None)) for asked in digests]
        return [
            key if hmac.compare_digest(digest, asked) else None
            for asked, (digest, key) in zip(digests, kept, strict=True)
        ]

    def get(self, id: str) -> Key:
        """A key by its id."""
        with self.database.connected() as db:
            return _one(db, id)

    def list(self, *, owner: str | None = None, limit: int = 100, after: str = "") -> list[Key]:
        """Keys, the newest first; also those revoked.

        Args:
            owner: Whose; None for everybody's.
            limit: How many at most, up to 1,000.
            after: The id of the last one seen, to go on from; empty to begin.
        """
        if not 1 <= limit <= _MAX_LISTED:
            raise InputError(f"limit must be from 1 to {_MAX_LISTED}, got {limit}.")
        place = tuple_(KEYS.c.created_at, KEYS.c.id)
        statement = select(*_SHOWN).order_by(KEYS.c.created_at.desc(), KEYS.c.id.desc()).limit(limit)
        if owner is not None:
            statement = statement.where(KEYS.c.owner == _plain("owner", owner))
        with self.database.connected() as db:
            if after:
                last = _one(db, after)
                statement = statement.where(place < tuple_(last.created_at, last.id))
            return [Key(*row) for row in db.execute(statement)]

    def revoke(self, id: str) -> Key:
        """End a key for good. One that was revoked before stays as it was; its balance can be transferred away."""
        now = func.coalesce(KEYS.c.revoked_at, self._clock())
        with self._changing() as db:
            db.execute(update(KEYS).where(KEYS.c.id == _known(id)).values(revoked_at=now))
            return _one(db, id)

    def change(self, id: str, *, name: str | None = None, tier: str | None = None) -> Key:
        """Give a key another name or tier; None leaves it.

        Raises:
            InputError: as `create`.
        """
        given = {"name": name, "tier": tier}
        values = {field: _plain(field, value) for field, value in given.items() if value is not None}
        with self._changing() as db:
            if values:
                db.execute(update(KEYS).where(KEYS.c.id == _known(id)).values(**values))
            return _one(db, id)

    def grant(self, id: str, tokens: int, *, note: str = "", reference: str = "") -> Key:
        """Add to the balance of a key.

        Args:
            id: Of the key.
            tokens: How many, above zero.
            note: Why.
            reference: Any name for it; sent again with the same, it happens once. Empty for one that was never used.

        Raises:
            InputError: `tokens` is not above zero or is too large; a text is too long; the reference was used for
                another grant to this key; the key is revoked.
        """
        _check_tokens(tokens)
        name = _plain("reference", reference or uuid.uuid4().hex)
        entry = Entry(
            reference=f"grant:{id}:{name}", key_id=id, kind="grant", tokens=tokens, note=_plain("note", note, least=0)
        )
        with self._changing() as db:
            key = _one(db, id, lock=True)
            if not _was_posted(db, entry):
                _check_gets(key, tokens)
                self._post(db, entry)
            return _one(db, id)

    def transfer(self, source: str, target: str, tokens: int, *, reference: str = "") -> tuple[Key, Key]:
        """Move tokens from one key to another: both sides or neither, and never below zero.

        Args:
            source: Id of the key that gives. It may be revoked.
            target: Id of the key that gets.
            tokens: How many, above zero.
            reference: Any name for it; sent again with the same, it happens once. Empty for one that was never used.

        Returns:
            The two keys, afterwards.

        Raises:
            InputError: `tokens` is not above zero, or more than the source has; the target is revoked, or the source
                itself; the reference was used for another transfer from this key.
        """
        _check_tokens(tokens)
        if source == target:
            raise InputError("A transfer is between two keys, not from a key to itself.")
        name = _plain("reference", reference or uuid.uuid4().hex)
        sent, received = entries.transfer(source, target, tokens, name)
        with self._changing() as db:
            # In one order, so that two transfers never wait for each other.
            locked = {each: _one(db, each, lock=True) for each in sorted((source, target))}
            if not _was_posted(db, sent):
                _check_gets(locked[target], tokens)
                if locked[source].balance < tokens:
                    raise InputError(
                        f"The key {source!r} has {locked[source].balance:,} tokens, which are less than {tokens:,}."
                    )
                self._post(db, sent, received)
            return _one(db, source), _one(db, target)

    def _post(self, db: Connection, *posted: Entry) -> None:
        entries.post(db, posted, self._clock())

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction, after which caches over this database ask again."""
        try:
            with self.database.transaction() as db:
                yield db
        finally:  # after a failure too: it may have been written
            self.database.generation = object()


def digest_of(secret: str) -> bytes:
    """What is kept of a secret: its SHA-256.

    A slow hash would protect what people think up. These are 60 random characters, 357 bits, which nobody can try.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _one(db: Connection, id: str, *, lock: bool = False) -> Key:
    """A key; locked, its balance stays so to the end of the transaction."""
    statement = select(*_SHOWN).where(KEYS.c.id == _known(id))
    if lock:  # SQLite has locked everything; PostgreSQL lets others write entries of it meanwhile, and no balance
        statement = statement.with_for_update(key_share=True)
    row = db.execute(statement).one_or_none()
    if row is None:
        raise _unknown(id)
    return Key(*row)


def _was_posted(db: Connection, entry: Entry) -> bool:
    """Whether an entry is there already, from when it was sent before."""
    columns = (ENTRIES.c.key_id, ENTRIES.c.tokens, ENTRIES.c.other)
    row = db.execute(select(*columns).where(ENTRIES.c.reference == entry.reference)).one_or_none()
    if row is not None and row != (entry.key_id, entry.tokens, entry.other):
        name = entry.reference.split(":", 2)[-1]
        raise InputError(f"The reference {name!r} was used for another {entry.kind}: take a new one.")
    return row is not None


def _known(id: str) -> str:
    """An id that has the form of one; others are of no key, and may be no text that a database takes."""
    if not _ID.fullmatch(id):
        raise _unknown(id)
    return id


def _unknown(id: str) -> UnknownNameError:
    # What has another form may be a secret that was mistaken for an id.
    shown = f"{id!r}: there is none with this id" if _ID.fullmatch(id) else "id: one is key_ and 16 hexadecimal digits"
    return UnknownNameError(f"Unknown key {shown}.")


def _plain(field: str, value: str, *, least: int = 1) -> str:
    """A text of one line, as it can be kept and shown everywhere."""
    if not least <= len(value) <= _MAX_CHARACTERS or not value.isprintable():
        raise InputError(
            f"{field} must have {least} to {_MAX_CHARACTERS} printable characters, got {shorten(value)!r}."
        )
    return value


def _check_tokens(tokens: int) -> None:
    if not 0 < tokens <= MAX_TOKENS:
        raise InputError(f"tokens must be from 1 to {MAX_TOKENS:,}, got {tokens:,}.")


def _check_gets(key: Key, tokens: int) -> None:
    if key.revoked_at is not None:
        raise InputError(f"The key {key.id!r} is revoked: nothing can be added to its balance.")
    if key.balance + tokens > MAX_TOKENS:
        raise InputError(f"The key {key.id!r} would have more than {MAX_TOKENS:,} tokens, which no key may hold.")
