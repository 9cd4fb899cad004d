"""A real HTTP server on the loopback interface that answers as the hub does where a download asks it.

Large files are answered as the hub answers those of Git LFS: a redirect to another address, which serves ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "d" * 40


@dataclass
class HubServer:
    """One repository, `owner/name`, whose branch `main` is `commit`.

    Attributes:
        files: Content by path.
        error: Status and the hub's error code for every request to the repository, or None.
        gated: Files cannot be had, though their list can.
        cut_after: Bytes of a large file after which the connection is closed, once; None for never.
        stall_after: Bytes of a large file after which nothing comes any more; None for never.
        broken: Large files whose bytes differ from what their hash says.
        requests: Method, path and Range header of each request, in order.
        trusted: Paths that an Authorization header came to.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    commit: str = COMMIT
    error: tuple[int, str] | None = None
    gated: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    broken: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    trusted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.stalled, self.closing = threading.Event(), threading.Event()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.store_url = f"http://localhost:{self._server.server_port}"  # large files lie on another host

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fetched(self, path: str) -> list[str | None]:
        """Range headers of the requests for a file's content, in order."""
        content = f"/content/{sha256(self.files[path])}" if is_large(path) else f"/owner/name/resolve/{COMMIT}/{path}"
        return [ranges for method, asked, ranges in self.requests if method == "GET" and asked == content]


def is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin", ".onnx"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server_hub, urlsplit(self.path).path
        hub.requests.append((self.command, path, self.headers["Range"]))
        if self.headers["Authorization"]:
            hub.trusted.add(path)
        api = re.fullmatch(r"/api/models/owner/name/(revision|tree)/([^/]+)", path)
        file = re.fullmatch(r"/owner/name/resolve/([^/]+)/(.+)", path)
        if path.startswith("/content/"):
            self._large(path.rsplit("/", 1)[-1])
        elif api is None and file is None:
            self._fail(404, "RepoNotFound")
        elif hub.error is not None:
            self._fail(*hub.error)
        elif (api or file)[2 if api else 1] not in ("main", hub.commit):  # type: ignore[index]
            self._fail(404, "RevisionNotFound")
        elif api is not None:
            self._list(api[1])
        elif hub.gated:
            self._fail(403, "GatedRepo")
        else:
            assert file is not None
            self._resolve(file[2])

    def _list(self, what: str) -> None:
        files = self.server_hub.files
        if what == "tree":
            rows = [
                {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
                | ({"lfs": self._pointer("oid", content)} if is_large(path) else {})
                for path, content in files.items()
            ]
            return self._answer(200, json.dumps(rows).encode())
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            | ({"lfs": self._pointer("sha256", content)} if is_large(path) else {})
            for path, content in files.items()
        ]
        info = {"id": "owner/name", "sha": self.server_hub.commit, "siblings": siblings}
        return self._answer(200, json.dumps(info).encode())

    def _pointer(self, name: str, content: bytes) -> dict[str, object]:
        return {name: sha256(content), "size": len(content), "pointerSize": 134}

    def _resolve(self, path: str) -> None:
        content = self.server_hub.files.get(path)
        if content is None:
            self._fail(404, "EntryNotFound")
        elif is_large(path):
            headers = {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": str(len(content))}
            self._answer(302, b"", Location=f"{self.server_hub.store_url}/content/{sha256(content)}", **headers)
        else:
            self._answer(200, content, ETag=f'"{git_hash(content)}"')

    def _large(self, digest: str) -> None:
        hub = self.server_hub
        path, content = next((path, content) for path, content in hub.files.items() if sha256(content) == digest)
        if path in hub.broken:
            content = bytes(len(content))
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        part = content[start:]
        limits = [limit for limit in (hub.cut_after, hub.stall_after) if limit is not None]
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self._head(206 if start else 200, len(part), headers)
        self.wfile.write(part[: min(limits, default=len(part))])
        if hub.cut_after is not None:
            hub.cut_after, self.close_connection = None, True
        elif hub.stall_after is not None:
            self.wfile.flush()
            hub.stalled.set()
            hub.closing.wait(60)
            self.close_connection = True

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, b"", **{"X-Error-Code": code})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self._head(status, len(body), headers)
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), "X-Repo-Commit": self.server_hub.commit, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client went away, as some tests want it to
            super().handle()

    def log_message(self, *_: object) -> None:
        pass
