"""A service behind a real port of the loopback interface: in a thread, or for tests of what asks one.

`served(folder)` gives the URL of one that knows three pages of a site on the loopback interface, and that site.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from local_server import LocalServer, ServerThread, http

from jina_components.service import ServiceSettings, create_app
from jina_components.service.server import Server, configured


@contextmanager
def running_service(app: FastAPI, *, drain_seconds: float = 10, **config: Any) -> Iterator[str]:
    """The URL of a server in a thread, which ends with the block; `config` is uvicorn's."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    made = configured(app, log_config=None, **config)
    server = Server(made, app, drain_seconds=drain_seconds, on_listening=lambda: None)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run(sockets=[listening])
        except BaseException as failure:  # noqa: BLE001 (raised in the test)
            failures.append(failure)

    thread = threading.Thread(target=run, name="service")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The service did not start.") from (failures[0] if failures else None)
            time.sleep(0.01)
        yield f"http{'s' if server.config.is_ssl else ''}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
    if failures:
        raise failures[0]


@dataclass(frozen=True)
class Served:
    """A service, and a site that it has read and may read.

    Attributes:
        url: The service's root.
        site: The site; `PAGES` are its paths.
    """

    url: str
    site: LocalServer


_TIDES = "The moon pulls the water of the sea, which rises twice a day. " * 3
_BREAD = "Bread is made of flour, water, salt and yeast. " * 3
PAGES = {
    "/tides": ("Tides", _TIDES + "In the Bay of Fundy the tides are 16 metres high."),
    "/bridge": (
        "The Holm Bridge",
        "The Holm Bridge over the Ness opened in 1952. It is 3 km long. Ann Lee, an engineer, designed it.",
    ),
    "/bread": ("Bread", _BREAD + "It is baked for forty minutes."),
}


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """A service over the bundled models that has read the pages, and reads from the loopback interface."""
    thread = ServerThread()
    try:
        site = thread.start(LocalServer())
        site.routes |= {path: [_page(*told)] for path, told in PAGES.items()} | {"/gone": [http(404)]}
        made = ServiceSettings(
            **{"data": folder, "warm_up": (), "offline": True, "playground": False, "mcp": False,
               "allow_networks": ("127.0.0.0/8",), **settings}
        )  # fmt: skip
        with running_service(create_app(made)) as url:
            for path in PAGES:
                httpx.get(f"{url}/r/{site.url(path)}", timeout=60).raise_for_status()
            yield Served(url, site)
    finally:
        thread.stop()


def _page(title: str, text: str) -> bytes:
    html = f"<html><head><title>{title}</title></head><body><article><p>{text}</p></article></body></html>"
    return http(body=html.encode(), content_type="text/html; charset=utf-8")
