"""A connection to Milvus or Milvus Lite, and their errors as ours."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.errors import IndexFilesError, MissingDependencyError
from jina_components.retriever.stores.common import without_password

if TYPE_CHECKING:
    from pymilvus import MilvusClient

# Milvus Lite has one server a file, which the connections of this process share and nobody else ends.
_SHARED: Counter[str] = Counter()
_SHARED_LOCK = threading.Lock()


class Connection:
    """A client that is made when it is first used.

    Args:
        uri: A server's URL, or the path of Milvus Lite's files.
        token: For a server that wants one.
        timeout: Seconds for a request.

    Attributes:
        address: The URL or path as it may be shown.
    """

    def __init__(self, uri: str, *, token: str | None, timeout: float) -> None:
        self._uri = uri if "://" in uri else str(Path(uri).resolve())
        self.address = without_password(uri)
        self._token = token
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: MilvusClient | None = None

    @property
    def is_lite(self) -> bool:
        """Whether Milvus runs in this process."""
        return "://" not in self._uri

    @contextmanager
    def client(self) -> Iterator[MilvusClient]:
        """The client, with its errors as ours.

        Raises:
            IndexFilesError: the server cannot be reached or refuses; the files are in use or damaged.
            MissingDependencyError: pymilvus or milvus-lite is not installed.
        """
        _require("pymilvus")
        if self.is_lite:
            _require("milvus_lite")
        from pymilvus.exceptions import MilvusException

        try:
            with self._lock:
                if self._client is None:
                    self._client = self._connect()
                client = self._client
            yield client
        except MilvusException as error:
            remedy = (
                "Check that its folder exists and that no other process uses these files."
                if self.is_lite
                else "Check that it runs, the URL and the token."
            )
            raise IndexFilesError(f"Milvus at {self.address} failed: {error.message or error}. {remedy}") from error

    def close(self) -> None:
        """Close it; the next use opens it again. Milvus Lite ends with its last connection."""
        with self._lock:
            if self._client is None:
                return
            self._client.close()
            self._client = None
        if self.is_lite:
            from milvus_lite.server_manager import server_manager_instance

            with _SHARED_LOCK:
                _SHARED[self._uri] -= 1
                if not _SHARED[self._uri]:
                    server_manager_instance.release_server(self._uri)

    def _connect(self) -> MilvusClient:
        from pymilvus import MilvusClient

        if not self.is_lite:
            return MilvusClient(uri=self._uri, token=self._token or "", timeout=self._timeout)
        with _SHARED_LOCK:
            client = MilvusClient(uri=self._uri, timeout=self._timeout)
            _SHARED[self._uri] += 1
        return client


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingDependencyError(
            f"MilvusStore needs {package.replace('_', '-')}: pip install 'jina-components[milvus]'."
        )
