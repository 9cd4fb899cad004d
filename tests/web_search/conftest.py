from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jina_components.core.background import run_sync
from jina_components.net import Fetcher, URLGuard
from jina_components.reader import Reader


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    params: dict[str, list[str]]
    headers: dict[str, str]
    body: Any

    def param(self, name: str) -> str | None:
        return self.params[name][0] if name in self.params else None


@dataclass
class Api:
    """An HTTP API on the loopback interface: what it answers by path, and what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes, float]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, path: str, body: object = b"", *, status: int = 200, delay: float = 0.0, **headers: str) -> str:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, data, delay)
        return self.url + path

    def page(self, path: str, title: str, text: str, *, delay: float = 0.0) -> str:
        body = f"<title>{title}</title><article><h1>{title}</h1><p>{text}</p></article>".encode()
        return self.answer(path, body, delay=delay, content_type="text/html; charset=utf-8")


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            data = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, url.path, parse_qs(url.query), headers, json.loads(data) if data else None)
            made.asked.append(asked)
            status, answered, body, delay = made.answers.get(url.path, (404, {}, b"", 0.0))
            time.sleep(delay)
            try:
                self.send_response(status)
                for name, value in {**answered, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:  # the client gave up, as some tests want it to
                self.close_connection = True

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def reader() -> Iterator[Reader]:
    fetcher = Fetcher(guard=URLGuard(allow_networks=("127.0.0.0/8",)), timeout=20, retries=0)
    yield Reader(fetcher=fetcher)
    run_sync(fetcher.aclose())
