"""Connections to a PostgreSQL server, and its errors as ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from jina_components.errors import ConfigError, IndexFilesError, MissingDependencyError

if TYPE_CHECKING:
    import psycopg


_MOST_IDLE = 8


class Connections:
    """As many connections as are used at once; each is made when none is idle.

    Args:
        dsn: What libpq takes: `postgresql://user:password@host/database` or `host=… dbname=…`.
        timeout: Seconds to wait for a connection.
    """

    def __init__(self, dsn: str, *, timeout: int) -> None:
        self._dsn = dsn
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection] = []

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A connection in a transaction, committed at the end of the block and rolled back on an error.

        Raises:
            ConfigError: the dsn is none.
            IndexFilesError: the server cannot be reached, or refuses.
            MissingDependencyError: psycopg is not installed.
        """
        psycopg = _psycopg()
        try:
            with ExitStack() as stack:
                yield self._begun(stack)
        except psycopg.errors.DiskFull as error:
            raise IndexFilesError(f"{self._server()} has no space left: {_first_line(error)}.") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise IndexFilesError(
                f"{self._server()} does not allow this: {_first_line(error)}. Grant it to the dsn's user."
            ) from error
        except psycopg.OperationalError as error:
            self.close()
            raise IndexFilesError(
                f"{self._server()} cannot be reached or does not answer: {_first_line(error)}. Check that it runs, and "
                "the dsn's host, user, password and database."
            ) from error
        except psycopg.Error as error:
            raise IndexFilesError(f"{self._server()} failed: {_first_line(error)}.") from error

    def close(self) -> None:
        """Close the idle ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _begun(self, stack: ExitStack) -> psycopg.Connection:
        """A connection in a transaction, which ends with the stack."""
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        if idle is not None:
            try:
                return self._begin(idle, stack)
            except _psycopg().OperationalError:  # the server was restarted since: no idle one is of use
                self.close()
        return self._begin(self._connect(), stack)

    def _begin(self, connection: psycopg.Connection, stack: ExitStack) -> psycopg.Connection:
        stack.callback(self._give_back, connection)
        stack.enter_context(connection.transaction())
        return connection

    def _connect(self) -> psycopg.Connection:
        psycopg = _psycopg()
        try:
            psycopg.conninfo.conninfo_to_dict(self._dsn)
        except psycopg.ProgrammingError as error:
            raise ConfigError(
                "The dsn is none that PostgreSQL knows; write postgresql://user:password@host:5432/database."
            ) from error
        return psycopg.connect(self._dsn, autocommit=True, connect_timeout=self._timeout)

    def _give_back(self, connection: psycopg.Connection) -> None:
        is_usable = connection.info.transaction_status == _psycopg().pq.TransactionStatus.IDLE
        with self._lock:
            if is_usable and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _server(self) -> str:
        """The server's address, without a password."""
        parts = _psycopg().conninfo.conninfo_to_dict(self._dsn)
        return f"PostgreSQL at {parts.get('host', 'its default host')}, database {parts.get('dbname', 'by default')},"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _psycopg() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise MissingDependencyError("PgvectorStore needs psycopg: pip install 'jina-components[pgvector]'.") from error
    return psycopg
