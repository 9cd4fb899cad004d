"""A connection to Qdrant or its imitation in this process, and their errors as ours."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jina_components.errors import ConfigError, IndexFilesError, JinaComponentsError, MissingDependencyError
from jina_components.retriever.stores.common import without_password

if TYPE_CHECKING:
    from qdrant_client import QdrantClient


_HOST = re.compile(r"localhost|(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}/?")


class Connection:
    """A client that is made when it is first used.

    Args:
        location: A server's URL, a folder for the imitation, or `:memory:`.
        api_key: For a server that wants one.
        timeout: Seconds for a request.

    Attributes:
        address: The location as it may be shown.

    Raises:
        ConfigError: the location is a server's without `http://`.
    """

    def __init__(self, location: str, *, api_key: str | None, timeout: int) -> None:
        if _HOST.fullmatch(location):
            raise ConfigError(
                f"The location {location!r} is a server's without its scheme: write 'http://{location}'; or, for a "
                f"folder of this name, './{location}'."
            )
        self._location, self.address = location, without_password(location)
        self._api_key = api_key
        self._timeout = timeout
        self._lock = threading.RLock()
        self._connected: QdrantClient | None = None

    @property
    def is_server(self) -> bool:
        """Whether it is no imitation."""
        return "://" in self._location

    @contextmanager
    def client(self) -> Iterator[QdrantClient]:
        """The client, with its errors as ours; the imitation's is one thread's at a time.

        Raises:
            IndexFilesError: the server cannot be reached or refuses; the folder is in use or damaged.
            MissingDependencyError: qdrant-client is not installed.
        """
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            client = self._connected
        if self.is_server:
            with _errors(self.address):
                yield client
        else:
            with self._lock, _errors(self.address):
                yield client

    def close(self) -> None:
        """Close it; the next use opens it again."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()
            self._connected = None

    def _connect(self) -> QdrantClient:
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise MissingDependencyError(
                "QdrantStore needs qdrant-client: pip install 'jina-components[qdrant]'."
            ) from error
        with _errors(self.address):
            if self.is_server:
                return QdrantClient(
                    url=self._location, api_key=self._api_key, timeout=self._timeout, check_compatibility=False
                )
            if self._location == ":memory:":
                return QdrantClient(location=":memory:")
            return QdrantClient(path=self._location, force_disable_check_same_thread=True)


@contextmanager
def _errors(location: str) -> Iterator[None]:
    """Qdrant's errors as ours."""
    import sqlite3

    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except JinaComponentsError:
        raise
    except ResponseHandlingException as error:
        raise IndexFilesError(
            f"Qdrant at {location} cannot be reached: {error}. Check that it runs and that the URL and port are its."
        ) from error
    except UnexpectedResponse as error:
        remedy = " Give the api_key that it wants." if error.status_code in (401, 403) else ""
        raise IndexFilesError(
            f"Qdrant at {location} refused with status {error.status_code} ({error.reason_phrase}).{remedy}"
        ) from error
    except (RuntimeError, OSError, sqlite3.Error) as error:  # of the imitation
        raise IndexFilesError(f"The Qdrant folder {location} cannot be used: {error}") from error
