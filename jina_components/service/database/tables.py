"""The tables. Times are seconds since 1970; tokens are whole numbers.

A change here needs a migration beside it (`migrations/versions`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

METADATA = MetaData()

# SQLite counts up by itself only what it calls INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # of the key, which is nowhere kept
    Column("owner", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("balance", BigInteger, nullable=False),  # the sum of its entries
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("reference", Text, nullable=False, unique=True),  # a second entry of the same is the first one, retried
    Column("key_id", Text, ForeignKey("keys.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),  # what was added to the balance: less than nothing for a charge
    Column("product", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),
    Column("requests", BigInteger, nullable=False, server_default="0"),  # large ones of what was folded
    Column("items", BigInteger, nullable=False, server_default="0"),
    Column("other", Text, nullable=False, server_default=""),  # the other key of a transfer
    Column("note", Text, nullable=False, server_default=""),
    Column("at", Float, nullable=False),
    Index("entries_by_key", "key_id", "number"),
    sqlite_autoincrement=True,
)

USAGE = Table(
    "usage",
    METADATA,
    Column("key_id", Text, ForeignKey("keys.id"), primary_key=True),
    Column("day", Text, primary_key=True),  # such as 2026-01-31, of UTC
    Column("product", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Index("usage_by_day", "day"),
)

BATCHES = Table(
    "batches",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("key_id", Text, nullable=False, server_default=""),  # which is charged; empty where none is
    Column("status", Text, nullable=False, server_default="pending"),
    Column("model", Text, nullable=False),
    Column("task", Text),
    Column("dimensions", Integer),
    Column("normalized", Boolean, nullable=False),
    Column("truncate", Boolean, nullable=False),
    Column("webhook_url", Text),
    Column("base_url", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("completed_at", Float),
    Column("error", Text),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("inputs", Integer, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),  # sent and made; 0 once its lines are removed
    Column("completed", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun", Integer, nullable=False, server_default="0"),
    Column("not_before", Float, nullable=False, server_default="0"),
    Column("holder", Text, nullable=False, server_default=""),  # who works on it until then, unless they renew it
    Column("held_until", Float, nullable=False, server_default="0"),
    Column("notices", Integer, nullable=False, server_default="0"),
    Column("notify_at", Float),
    Index("batches_by_owner", "owner", "number"),
    Index("batches_by_status", "status", "owner", "number"),
    Index(
        "batches_to_notify",
        "notify_at",
        sqlite_where=text("notify_at IS NOT NULL"),
        postgresql_where=text("notify_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

LINES = Table(
    "lines",
    METADATA,
    Column("batch", _NUMBER, ForeignKey("batches.number"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("state", Integer, nullable=False),
    Column("custom_id", Text),
    Column("inputs", Integer, nullable=False),
    Column("tokens", Integer, nullable=False, server_default="0"),
    Column("content", LargeBinary, nullable=False),
    Index("lines_by_state", "batch", "state", "line"),
)
