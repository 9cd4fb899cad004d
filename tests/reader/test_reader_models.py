"""The Reader with chat models: captions, extraction and conversion, over the wire of a real server."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator

import PIL.Image
import pytest
from local_server import LocalServer, Received, http, loopback_fetcher

from jina_components import ChatConverter, OpenAIChat, Reader, ReadOptions
from jina_components.core.background import run_sync
from jina_components.errors import ChatError, ConfigError

WORDS = "The lighthouse keeper wrote down the weather every evening for forty years. " * 4
PAGE = f"<title>Lamp</title><article><p>{WORDS}</p><p><img src='/cat.png'><img src='/x.png' alt='kept'></p></article>"


def png() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (200, 100), "red").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def site(server: LocalServer) -> LocalServer:
    server.routes["/page"] = [http(200, PAGE.encode(), content_type="text/html")]
    server.routes["/cat.png"] = [http(200, png(), content_type="image/png")]
    return server


@pytest.fixture
def asked(server: LocalServer) -> Callable[..., list[dict]]:
    """Makes the server answer chats with these texts in turn; gives what it was asked."""

    def answer(*texts: str) -> list[dict]:
        bodies: list[dict] = []
        waiting = iter(texts)

        async def handle(request: Received, writer: asyncio.StreamWriter) -> None:
            bodies.append(json.loads(request.body))
            message = {"role": "assistant", "content": next(waiting)}
            usage = {"prompt_tokens": 100, "completion_tokens": 10}
            body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()
            writer.write(http(200, body, content_type="application/json"))
            await writer.drain()

        server.routes["/v1/chat/completions"] = handle
        return bodies

    return answer


@pytest.fixture
def make_reader(server: LocalServer) -> Iterator[Callable[..., Reader]]:
    fetcher = loopback_fetcher(retries=0)
    yield lambda **models: Reader(fetcher=fetcher, **models)
    run_sync(fetcher.aclose())


@pytest.fixture
def chat(server: LocalServer) -> OpenAIChat:
    return OpenAIChat("m", base_url=server.url("/v1"), api_key="k")


def test_captions_become_alternative_texts_where_there_are_none(make_reader, site, chat, asked) -> None:
    bodies = asked("A red cat.")
    page = make_reader(captioner=chat).read(site.url("/page"), options=ReadOptions(captions=True))
    assert f"![A red cat.]({site.url('/cat.png')})" in page.content
    assert f"![kept]({site.url('/x.png')})" in page.content
    assert page.images[0] == ("A red cat.", site.url("/cat.png"))
    assert len(bodies) == 1
    assert bodies[0]["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert page.usage.prompt_tokens == 100
    assert page.usage.completion_tokens > 10


def test_an_image_that_cannot_be_fetched_is_a_warning(make_reader, site, chat, asked) -> None:
    asked()
    site.routes["/cat.png"] = [http(404)]
    page = make_reader(captioner=chat).read(site.url("/page"), options=ReadOptions(captions=True))
    assert "cat.png" in page.warnings[0]
    assert "lighthouse" in page.content


def test_extraction_by_a_schema(make_reader, site, chat, asked) -> None:
    schema = {"type": "object", "properties": {"years": {"type": "integer"}}, "required": ["years"]}
    bodies = asked('{"years": "many"}', '```json\n{"years": 40}\n```')
    options = ReadOptions(json_schema=schema, instruction="How long?")
    page = make_reader(extractor=chat).read(site.url("/page"), options=options)
    assert page.extracted == {"years": 40}
    assert "lighthouse" in page.content
    assert "How long?" in json.dumps(bodies[0])
    assert "lighthouse" in json.dumps(bodies[0])
    assert page.usage.prompt_tokens == 200


def test_an_extraction_that_fails_names_the_page(make_reader, site, chat, asked) -> None:
    asked("no", "no", "no")
    with pytest.raises(ChatError, match="/page gives nothing that was to be extracted"):
        make_reader(extractor=chat).read(site.url("/page"), options=ReadOptions(instruction="How long?"))


def test_extraction_from_html_by_a_model_made_for_it(make_reader, site, chat, asked) -> None:
    bodies = asked('{"years": 40}')
    reader = make_reader(extractor=ChatConverter(chat))
    page = reader.read(site.url("/page"), options=ReadOptions(instruction="How long?"))
    assert page.extracted == {"years": 40}
    assert "<article>" in json.dumps(bodies[0])


def test_markdown_by_a_chat_model(make_reader, site, chat, asked) -> None:
    asked("# Lamp\n\nIt shone.")
    reader = make_reader(html_converter=ChatConverter(chat))
    page = reader.read(site.url("/page"), options=ReadOptions(format="readerlm"))
    assert page.content == "# Lamp\n\nIt shone."
    assert page.title == "Lamp"
    assert page.metadata["conversion"]["prompt_tokens"] == 100
    assert page.usage.prompt_tokens == 100
    assert "lighthouse" in reader.read(site.url("/page"), options=ReadOptions(format="markdown")).content


@pytest.mark.parametrize("argument", ["html_converter", "captioner", "extractor"])
def test_what_is_no_model_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match=f"{argument} must have a method"):
        Reader(**{argument: object()})
    with pytest.raises(ConfigError, match=argument):
        Reader(**{argument: ChatConverter})
