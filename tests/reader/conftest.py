from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chromium import running_browser

from jina_components.core.background import run_sync
from jina_components.net import Fetcher, URLGuard
from jina_components.reader import Reader
from jina_components.reader.browser import Browser


@dataclass
class Site:
    """A web site on the loopback interface: what it answers by path."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)

    def add(self, path: str, body: bytes, content_type: str = "", *, status: int = 200, **headers: str) -> str:
        declared = {"Content-Type": content_type} if content_type else {}
        self.answers[path] = (status, declared | headers, body)
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = made.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests that do not end it; of the loopback it may reach 127.0.0.1 alone."""
    guard = URLGuard(allow_networks=("127.0.0.1/32",))
    yield from running_browser(guard=guard, switches=("--ignore-certificate-errors",))


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher(guard=URLGuard(allow_networks=("127.0.0.0/8",)), timeout=10, retries=0)
    yield made
    run_sync(made.aclose())


@pytest.fixture
def reader(fetcher: Fetcher) -> Reader:
    return Reader(fetcher=fetcher)
