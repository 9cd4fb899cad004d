"""Searches under way: clients that leave, silence, images."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import httpx
import pytest
from local_server import LocalServer, http, loopback_fetcher
from PIL import Image

from jina_components import Retriever
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.service import Components, ServiceSettings, streaming
from jina_components.service.pictures import pictures
from jina_components.testing import FakeSearchProvider
from jina_components.types import SearchResult

PATH = "/v1/chat/completions"
ASKED = {"model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": "How high are the tides in Fundy?"}]}


class Thinker:
    """A chat model that never replies."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended = threading.Event()

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        self.began.set()
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            self.ended.set()


@pytest.fixture
def thinker() -> Thinker:
    return Thinker()


@pytest.fixture
def address(make_app, start_service, thinker: Thinker, bundled_embedder, tmp_path) -> tuple[str, int]:
    """Where a service is whose chat model never replies."""
    settings = ServiceSettings(data=tmp_path, warm_up=())
    retriever = Retriever(bundled_embedder)
    retriever.add(["Tides are high."])
    url = httpx.URL(start_service(make_app(components=Components(settings, retriever=retriever, chat=thinker))))
    return url.host, url.port or 0


def request_of(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = ["host: localhost", "content-type: application/json", f"content-length: {len(data)}", "", ""]
    return "\r\n".join([f"POST {PATH} HTTP/1.1", *head]).encode() + data


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_search(address: tuple[str, int], thinker: Thinker, stream: bool) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(request_of({**ASKED, "stream": stream}))
        assert thinker.began.wait(60)
        assert not thinker.ended.is_set()
    assert thinker.ended.wait(60)


def test_a_stream_is_kept_alive(address: tuple[str, int], thinker: Thinker, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "SILENCE", 0.01)
    url = f"http://{address[0]}:{address[1]}{PATH}"
    with httpx.Client() as client, client.stream("POST", url, json={**ASKED, "stream": True}) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines).removeprefix("data: "))["choices"][0]["delta"]["content"] == "<think>"
        comments = [line for line in (next(lines) for _ in range(9)) if line]
        assert set(comments) == {": keep-alive"}
    assert thinker.ended.wait(60)


# Images


def picture(width: int, height: int) -> bytes:
    written = BytesIO()
    Image.new("RGB", (width, height), "navy").save(written, "PNG")
    return http(body=written.getvalue(), content_type="image/png")


@pytest.fixture
def gallery(server: LocalServer) -> Iterator[LocalServer]:
    server.routes |= {
        "/large.png": [picture(300, 256)],
        "/flat.png": [picture(900, 80)],
        "/pixel.png": [picture(1, 1)],
        "/second.png": [picture(256, 400)],
        "/broken.png": [http(body=b"\x89PNG nothing", content_type="image/png")],
        "/empty.png": [http(content_type="image/png")],
    }
    return server


def test_pictures_are_of_some_size(gallery: LocalServer) -> None:
    names = ("pixel", "large", "gone", "flat", "broken", "empty", "second")
    urls = [gallery.url(f"/{name}.png") for name in names]

    async def run(given: list[str], limit: int) -> list[str]:
        async with loopback_fetcher(retries=0) as fetcher:
            return await pictures(given, fetcher, limit=limit)

    assert asyncio.run(run(urls, 10)) == [gallery.url("/large.png"), gallery.url("/second.png")]
    assert asyncio.run(run(urls, 1)) == [gallery.url("/large.png")]
    assert asyncio.run(run([], 10)) == []


def test_related_images_are_those_of_pages_that_were_read(
    gallery: LocalServer, make_app, start_service, tmp_path
) -> None:
    fact = "The tides in the Bay of Fundy are 16 metres high."
    more = "<p>" + "The water comes in twice a day, and the boats that lay on the ground float again. " * 12 + "</p>"
    shown = '<p><img src="/pixel.png"><img src="/large.png" alt="Boats"><img src="/large.png"></p>'
    page = f"<title>Tides</title><article><h1>Tides</h1><p>{fact}</p>{more}{shown}{more}</article>"
    gallery.routes["/tides"] = [http(body=page.encode(), content_type="text/html")]
    settings = ServiceSettings(data=tmp_path, warm_up=(), allow_networks=("127.0.0.0/8",))
    provider = FakeSearchProvider([SearchResult(gallery.url("/tides"), "Tides", fact)])
    url = start_service(make_app(components=Components(settings, providers=[provider])))
    question = {"messages": [{"role": "user", "content": "How high are the tides in the Bay of Fundy?"}]}
    with httpx.Client(base_url=url, timeout=60) as client:
        body = client.post(PATH, json={**ASKED, **question, "with_images": True}).json()
        without = client.post(PATH, json={**ASKED, **question}).json()
    assert body["choices"][0]["message"]["content"] == f"{fact}[^1]"
    assert body["readURLs"] == [gallery.url("/tides")]
    assert body["relatedImages"] == [gallery.url("/large.png")]
    assert "relatedImages" not in without
