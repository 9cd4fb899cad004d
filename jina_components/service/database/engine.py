"""The connection to the database, whichever it is."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.errors import problem

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 30.0  # for a lock, or a connection
_QUIET_SECONDS = 10.0  # between two lines of the log about a database that fails, however many ask it meanwhile
# After which PostgreSQL undoes a transaction that does nothing: its machine may be gone, and others wait for its locks.
_IDLE_SECONDS = 60.0
# What PostgreSQL locks while tables are made, so that one process at a time does: any number, the same for all.
_MIGRATING = 0x6A696E61
# By the scheme of a URL, what SQLAlchemy calls it with the driver that we have.
_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""By the dialect, the `insert` that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
# That each statement of a connection is a transaction of its own.
_NO_TRANSACTION = "jina_no_transaction"
_EACH_STATEMENT: dict[str, dict[str, Any]] = {
    "sqlite": {_NO_TRANSACTION: True}, "postgresql": {"isolation_level": "AUTOCOMMIT"},
}  # fmt: skip
# A vector of up to 4,000 components fits a page; the log of a large batch is cut back to so many bytes.
_PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {64 << 20}")
_PAGES_FREED = 500  # at a time
_NEW_FILE = ("page_size = 16384", "auto_vacuum = INCREMENTAL", "journal_mode = WAL")
# A server that does not answer any more is noticed within half a minute, also between a commit and its answer.
_POSTGRESQL = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 25_000, "application_name": "jina-components",
}  # fmt: skip


class Database:
    """Tables in SQLite or PostgreSQL, which threads, processes and machines may share; what is committed is on disk.

    Args:
        url: `sqlite:///FOLDER/FILE`, or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.

    Attributes:
        generation: Another object after each change of keys through this one, so that what remembers them notices.

    Raises:
        ConfigError: the URL is none of these.
    """

    def __init__(self, url: str) -> None:
        self.generation = object()
        self._url = _checked(url)
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._told_at: float | None = None  # that it fails

    def __repr__(self) -> str:
        """Without the password."""
        return f"Database({self._shown!r})"

    @property
    def _shown(self) -> str:
        return self._url.set(query={}).render_as_string()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._url.get_backend_name()

    def open(self) -> Engine:
        """Connect, and make or migrate the tables, once.

        Raises:
            ConfigError: it cannot be reached or written, or is of a later release.
            MissingDependencyError: there is no driver for it.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self._opened()
            return self._engine

    def close(self) -> None:
        """Disconnect; the next call connects again."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction that writes; it is on the disk at the end of the block. Raises as `connected`."""
        with self._told(), self.open().begin() as db:
            yield db

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection that reads; each statement sees what is committed when it begins.

        Raises:
            Problem: 503, the database is busy for too long, or fails.
        """
        with self._told(), self.open().connect() as db:
            yield db.execution_options(**_EACH_STATEMENT[self.dialect])

    def reclaim(self) -> None:
        """Give the room of what was removed back to the disk. PostgreSQL does that by itself.

        Raises:
            Problem: as `connected`.
        """
        if self.dialect == "sqlite":
            with self.connected() as db:
                connection = db.connection.driver_connection
                assert isinstance(connection, sqlite3.Connection)  # noqa: S101 (so it was made)
                free = db.execute(text("PRAGMA freelist_count")).scalar_one()
                for _ in range(0, free, _PAGES_FREED):  # others write in between; `execute` would stop early
                    connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_FREED})")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the database raises, for clients: they may come again, and the log says why."""
        try:
            yield
        except (DBAPIError, NoConnectionError) as error:
            if isinstance(error, DBAPIError) and not _passes(error):
                raise
            now = time.monotonic()
            if self._told_at is None or now - self._told_at > _QUIET_SECONDS:
                self._told_at = now
                why = getattr(error, "orig", error)
                logger.error("The database failed: %s", why)  # noqa: TRY400 (it is not our stack)
            told = "The database cannot be read or written right now: try later."
            raise problem(503, told, headers={"Retry-After": "10"}) from error

    def _opened(self) -> Engine:
        try:
            engine = _sqlite(self._url) if self.dialect == "sqlite" else _postgresql(self._url)
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "A database in PostgreSQL takes a driver: pip install 'jina-components[postgresql]'."
            ) from error
        try:
            self._migrate(engine)
        except BaseException as error:
            engine.dispose()
            if isinstance(error, CommandError):  # its version is none of ours
                raise ConfigError(
                    f"The database {self._shown} was made by a later release: update this one."
                ) from error
            if isinstance(error, SQLAlchemyError | OSError):
                why = error.orig if isinstance(error, DBAPIError) else error
                raise ConfigError(f"The database {self._shown} cannot be used: {why}") from error
            raise
        return engine

    def _migrate(self, engine: Engine) -> None:
        path = Path(self._url.database or "")
        if self.dialect == "sqlite":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # its log beside it will be so too: what is in it is nobody else's on this machine
        # SQLite does not wait for others while its log is switched on, so one process at a time opens a file.
        alone = FileLock(f"{path}.lock", timeout=_WAIT_SECONDS) if self.dialect == "sqlite" else nullcontext()
        with alone, engine.begin() as db:
            if self.dialect == "postgresql":
                db.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
            config.attributes["connection"] = db
            command.upgrade(config, "head")


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        parsed = None
    if parsed is not None and "@" in (parsed.host or ""):  # which is the end of a password
        parsed = None
    is_file = parsed is not None and parsed.database not in (None, "", ":memory:")
    if parsed is None or parsed.drivername not in _DIALECTS or (parsed.drivername == "sqlite" and not is_file):
        raise ConfigError(
            "The URL of a database is sqlite:///FOLDER/FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME, with %40 for "
            "each @ in a password."
        )
    return parsed.set(drivername=_DIALECTS[parsed.drivername])


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": _WAIT_SECONDS}, pool_size=8, max_overflow=-1, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy begins them, not where sqlite3 guesses
        # These write, for which a reader would have to wait; so only where they have not been written yet.
        is_new = connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
        for pragma in (*(_NEW_FILE if is_new else ()), *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_NO_TRANSACTION):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _POSTGRESQL.items() if name not in url.query},
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=_WAIT_SECONDS,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:  # noqa: ANN401 (a type of psycopg, which may not be here)
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {_WAIT_SECONDS * 1000:.0f}")
        connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_SECONDS * 1000:.0f}")
        connection.autocommit = False

    return engine


def _passes(error: DBAPIError) -> bool:
    """Whether it is the database that fails, rather than a statement."""
    kinds = ("OperationalError", "InterfaceError", "InternalError")
    return error.connection_invalidated or any(each.__name__ in kinds for each in type(error.orig).__mro__)
