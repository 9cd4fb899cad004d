"""The database, in SQLite and in PostgreSQL: how it is made, shared and refused, and what becomes of its errors."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.accounts.keys import Keys
from jina_components.service.database import Database, engine
from jina_components.service.database.tables import KEYS, METADATA
from jina_components.service.errors import Problem
from jina_components.testing.assertions import in_threads

OPENING = """
import sys
from jina_components.service.accounts.keys import Keys
from jina_components.service.database import Database

print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
print(Keys(database).create(name="of a process")[0].id)
database.close()
"""
ROW = {
    "id": "key_1", "digest": b"of a key", "owner": "o", "name": "n", "tier": "free", "is_admin": False, "balance": 0,
    "created_at": 0.0,
}  # fmt: skip


@pytest.fixture
def url(make_database_url: Callable[[], str]) -> str:
    return make_database_url()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def test_migrations_make_the_tables(database: Database) -> None:
    with database.open().connect() as db:
        # Of SQLite, Alembic takes '' for another default than ''.
        opts = {"compare_type": True, "compare_server_default": database.dialect == "postgresql"}
        context = MigrationContext.configure(db, opts=opts)
        assert compare_metadata(context, METADATA) == []


def test_it_opens_again_with_what_was_in_it(database: Database, url: str) -> None:
    with database.transaction() as db:
        db.execute(insert(KEYS), ROW)
    database.close()
    again = Database(url)
    try:
        with again.connected() as db:
            assert db.execute(select(KEYS.c.id)).scalars().all() == ["key_1"]
    finally:
        again.close()


def test_processes_and_threads_open_a_new_one_at_once(url: str, database: Database) -> None:
    commands = [
        subprocess.Popen([sys.executable, "-c", OPENING, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    made = []
    try:
        for command in commands:
            assert command.stdout.readline() == "ready\n"
        for command in commands:
            command.stdin.write("go\n")
            command.stdin.flush()
        others = [Database(url) for _ in range(4)]
        in_threads(lambda number: others[number].open(), len(others))
        for other in others:
            other.close()
        made = [command.communicate()[0].strip() for command in commands]
    finally:
        for command in commands:
            command.kill()
            command.communicate()
    assert sorted(key.id for key in Keys(database).list()) == sorted(made)


def test_one_of_a_later_release_is_refused(database: Database, url: str) -> None:
    with database.transaction() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigError, match="made by a later release: update this one"):
        Database(url).open()


@pytest.mark.parametrize(
    "url", ["", "nothing", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "postgresql+psycopg2://host/name"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL of a database is sqlite:///FOLDER/FILE or postgresql://"):
        Database(url)


def test_a_file_that_is_none_of_sqlite_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Nothing that a database could read. " * 1000)
    with pytest.raises(ConfigError, match=r"notes\.txt cannot be used: file is not a database"):
        Database(f"sqlite:///{tmp_path / 'notes.txt'}").open()
    assert (tmp_path / "notes.txt").read_text().startswith("Nothing")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be used"):
        Database(f"sqlite:///{tmp_path / 'file' / 'folder' / 'service.sqlite3'}").open()


def test_a_server_that_is_not_there_is_refused_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    for url in (f"postgresql://me:sesame@127.0.0.1:{port}/d", f"postgresql://me@127.0.0.1:{port}/d?password=sesame"):
        database = Database(url)
        with pytest.raises(ConfigError, match="cannot be used") as refused:
            database.open()
        assert "sesame" not in f"{refused.value}{database!r}"


def test_postgresql_names_the_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[postgresql\]"):
        Database("postgresql://127.0.0.1/d").open()


def test_what_fails_in_a_transaction_undoes_it(database: Database) -> None:
    with contextlib.suppress(ZeroDivisionError), database.transaction() as db:
        db.execute(insert(KEYS), ROW)
        _ = 1 / 0
    with database.connected() as db:
        assert db.execute(select(func.count()).select_from(KEYS)).scalar() == 0


def test_each_statement_of_a_reader_sees_what_is_written(database: Database) -> None:
    count = select(func.count()).select_from(KEYS)
    with database.connected() as reading:
        assert reading.execute(count).scalar() == 0
        with database.transaction() as db:  # which the reader does not keep waiting
            db.execute(insert(KEYS), ROW)
        assert reading.execute(count).scalar() == 1


def test_errors_do_not_tell_values(database: Database) -> None:
    with database.transaction() as db:
        db.execute(insert(KEYS), ROW | {"name": "sesame"})
    with pytest.raises(IntegrityError) as failed, database.transaction() as db:
        db.execute(insert(KEYS), ROW | {"name": "sesame"})
    assert "sesame" not in str(failed.value)


def test_every_connection_of_sqlite_syncs_what_it_commits(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
    with database.connected() as one, database.connected() as two:
        for db in (one, two):
            assert db.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert db.execute(text("PRAGMA synchronous")).scalar() == 2
            assert db.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


class TestFailures:
    """A database that fails is told of as something that passes, and the log says why."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "_WAIT_SECONDS", 0.2)

    def test_one_that_is_locked(self, database: Database, url: str, caplog: pytest.LogCaptureFixture) -> None:
        other, change = Database(url), update(KEYS).values(name="m")
        with database.transaction() as db:
            db.execute(insert(KEYS), ROW)
        other.open()
        with database.transaction() as db:
            db.execute(change)
            for _ in range(3):
                with pytest.raises(Problem) as told, other.transaction() as late:
                    late.execute(change)
        other.close()
        assert (told.value.status, told.value.headers) == (503, {"Retry-After": "10"})
        [line] = caplog.messages  # however many ask
        assert "database is locked" in line or "due to lock timeout" in line

    def test_one_that_nobody_goes_on_with(
        self, make_postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "_WAIT_SECONDS", 30)
        url, change = make_postgres_url(), update(KEYS).values(name="m")
        database, other = Database(url), Database(url)
        with database.transaction() as db:
            db.execute(insert(KEYS), ROW)
        other.open()
        monkeypatch.setattr(engine, "_IDLE_SECONDS", 0.1)
        database.open().dispose()  # later connections have so long, in which tables could hardly be made

        def leave() -> None:
            with database.transaction() as db:
                db.execute(change)
                with other.transaction() as late:  # which waits for the lock until the first is undone
                    late.execute(change)
                db.execute(change)

        with pytest.raises(Problem) as told:
            leave()
        assert told.value.status == 503
        for each in (database, other):
            each.close()

    def test_one_whose_connections_are_all_taken(self, make_postgres_url: Callable[[], str]) -> None:
        database = Database(make_postgres_url())

        def take(more: int) -> None:
            with database.connected():
                if more:
                    take(more - 1)

        with pytest.raises(Problem) as told:
            take(20)
        assert told.value.status == 503
        take(10)
        database.close()

    def test_one_whose_connection_is_cut(
        self, make_postgres_url: Callable[[], str], caplog: pytest.LogCaptureFixture
    ) -> None:
        database = Database(make_postgres_url())

        def cut() -> None:
            with database.transaction() as db:
                mine = db.execute(text("SELECT pg_backend_pid()")).scalar()
                with database.transaction() as other:
                    other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
                db.execute(text("SELECT 1"))

        with pytest.raises(Problem) as told:
            cut()
        assert told.value.status == 503
        assert "terminating connection" in caplog.text
        with database.transaction() as db:  # and the next one connects again
            assert db.execute(text("SELECT 1")).scalar() == 1
        database.close()

    def test_one_that_may_only_be_read(self, make_postgres_url: Callable[[], str]) -> None:
        database = Database(make_postgres_url())
        with database.transaction() as db:
            name = db.execute(text("SELECT current_database()")).scalar()
            db.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        database.close()
        with database.connected():  # which migrates nothing, and so may
            pass
        with pytest.raises(Problem) as told, database.transaction() as db:
            db.execute(insert(KEYS), ROW)
        assert told.value.status == 503
        database.close()

    def test_a_wrong_statement_is_no_such_failure(self, database: Database, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR)
        with pytest.raises(IntegrityError), database.transaction() as db:
            db.execute(insert(KEYS), ROW | {"owner": None})
        assert not caplog.records


def test_a_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
    database.open()
    made = [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    database.close()
