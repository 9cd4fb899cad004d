from __future__ import annotations

import asyncio
import base64
import json
import pickle
from io import BytesIO

import PIL.Image
import pytest
from local_server import http, loopback_fetcher

from jina_components import OpenAIChat
from jina_components.errors import ChatError, ConfigError, InputError
from jina_components.protocols import ChatReply, Conversion, SupportsConvert, SupportsExtract
from jina_components.reader.chat_models import (
    Captions,
    ChatConverter,
    Extraction,
    caption_images,
    extract,
    extract_from_html,
)
from jina_components.testing import FakeChat
from jina_components.types import Usage

PAGE = "<script>x()</script><h1>Rain</h1><p>It rains <b>today</b>.</p>"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "mm": {"type": "number"}},
    "required": ["city", "mm"],
    "additionalProperties": False,
}


def completion(content: str, finish_reason: str = "stop") -> bytes:
    choice = {"message": {"content": content}, "finish_reason": finish_reason}
    body = {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    return http(200, json.dumps(body).encode(), content_type="application/json")


def endpoint(server, *replies: bytes) -> OpenAIChat:
    server.routes["/v1/chat/completions"] = list(replies)
    return OpenAIChat("tiny", base_url=server.url("/v1"))


def picture(width: int = 64, height: int = 64, form: str = "PNG") -> bytes:
    file = BytesIO()
    PIL.Image.new("RGB", (width, height), "navy").save(file, form)
    return file.getvalue()


class TestConverter:
    def test_markdown_over_the_wire(self, server):
        with endpoint(server, completion("```markdown\n# Rain\n\nIt rains **today**.\n```")) as chat:
            converter = ChatConverter(chat)
            conversion = converter.convert(PAGE)
        assert conversion == Conversion("# Rain\n\nIt rains **today**.", Usage(9, 2))
        [request] = server.received
        [turn] = json.loads(request.body)["messages"]
        assert turn["role"] == "user"
        assert turn["content"].startswith("Extract the main content")
        assert "```html\n<h1>Rain</h1><p>It rains <b>today</b>.</p>\n```" in turn["content"]
        assert isinstance(converter, SupportsConvert)
        assert isinstance(converter, SupportsExtract)
        assert repr(converter) == f"ChatConverter({chat!r})"
        assert repr(pickle.loads(pickle.dumps(converter))) == repr(converter)

    def test_json_after_a_schema_is_held_to_it_on_the_wire(self, server):
        with endpoint(server, completion('{"city": "Oslo", "mm": 3}')) as chat:
            text = ChatConverter(chat).convert(PAGE, instruction="Weather", schema=SCHEMA).text
        assert json.loads(text) == {"city": "Oslo", "mm": 3}
        body = json.loads(server.received[0].body)
        assert body["response_format"]["json_schema"]["schema"] == SCHEMA
        assert body["messages"][0]["content"].startswith("Weather\n```html")
        assert '"additionalProperties": false' in body["messages"][0]["content"]

    def test_an_empty_instruction_puts_the_html_alone(self):
        chat = FakeChat(["x"])
        ChatConverter(chat).convert("<p>a</p>", instruction="")
        assert [message.content for message in chat.asked[0]] == ["<p>a</p>"]

    def test_a_text_that_was_cut_says_so(self, server):
        with endpoint(server, completion("# Rain", "length")) as chat:
            assert ChatConverter(chat).convert(PAGE).finish_reason == "length"

    def test_long_pages_are_refused_or_cut(self):
        long = "<p>" + "rain " * 100
        chat = FakeChat(["x"])
        with pytest.raises(InputError, match="503 characters.*of which 50 are sent: raise max_characters"):
            ChatConverter(chat, max_characters=50).convert(long)
        ChatConverter(chat, max_characters=50, truncate=True).convert(long)
        assert long[:50] in chat.asked[0][0].content
        assert long[:51] not in chat.asked[0][0].content

    @pytest.mark.parametrize("html", ["", " ", "<script>x</script>"])
    def test_nothing_to_convert(self, html):
        with pytest.raises(InputError, match="nothing to convert"):
            ChatConverter(FakeChat([])).convert(html)

    def test_what_is_no_chat_model_or_limit(self):
        for chat in (object(), "llama3", FakeChat):
            with pytest.raises(ConfigError, match="chat must have a method achat"):
                ChatConverter(chat)
        with pytest.raises(ConfigError, match="max_characters"):
            ChatConverter(FakeChat([]), max_characters=0)

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            ("```\n# Rain\n```", "# Rain"),
            ("```markdown\nText\n```python\nx = 1\n```\n```", "Text\n```python\nx = 1\n```"),
            ("```python\nx = 1\n```", "```python\nx = 1\n```"),
            ("```\na\n```\n\nb\n\n```\nc\n```", "```\na\n```\n\nb\n\n```\nc\n```"),
            ("<think>Hm.\n# No</think>\n# Rain", "# Rain"),
            ("Of </think> tags", "Of </think> tags"),
        ],
    )
    def test_fences_and_thoughts_around_the_text_go(self, reply, text):
        assert ChatConverter(FakeChat([reply])).convert("<p>a</p>").text == text


class TestCaptions:
    async def test_images_are_fetched_shrunk_and_described(self, server):
        server.routes["/a.png"] = [http(200, picture(3000, 1000), content_type="image/png")]
        chat = endpoint(server, completion('"A navy\n surface."'))
        url = server.url("/a.png")
        captions = await caption_images([url, url, ""], chat, fetcher=loopback_fetcher(), language="de")
        assert captions == Captions({url: "A navy surface."}, Usage(9, 2))
        [message] = json.loads(server.received[-1].body)["messages"]
        text, image = message["content"]
        assert "tag de" in text["text"]
        head, _, data = image["image_url"]["url"].partition(",")
        assert head == "data:image/jpeg;base64"
        assert PIL.Image.open(BytesIO(base64.b64decode(data))).size == (1024, 341)
        assert server.paths().count("/a.png") == 1

    async def test_icons_and_vectors_are_passed_over(self, server):
        server.routes["/dot.png"] = [http(200, picture(16, 16))]
        urls = [server.url("/dot.png"), server.url("/logo.svg?v=1"), "data:image/svg+xml;base64,PHN2Zz4="]
        chat = FakeChat([])
        assert await caption_images(urls, chat, fetcher=loopback_fetcher()) == Captions()
        assert server.paths() == ["/dot.png"]

    async def test_what_fails_is_a_warning(self, server):
        server.routes["/text.png"] = [http(200, b"no image")]
        good = "data:image/png;base64," + base64.b64encode(picture()).decode()
        urls = [server.url("/text.png"), server.url("/missing.png"), "http://10.0.0.1/x.png", good]
        captions = await caption_images(
            urls, FakeChat([ChatReply("Navy.", Usage(10, 5))]), fetcher=loopback_fetcher(retries=0)
        )
        assert captions.texts == {good: "Navy."}
        assert captions.usage == Usage(10, 5)
        for url, warning, reason in zip(urls, captions.warnings, ["no image", "404", "10.0.0.1"], strict=False):
            assert url in warning
            assert reason in warning

    async def test_a_model_that_fails_is_a_warning(self, server):
        chat = endpoint(server, http(401, b'{"error": {"message": "bad key"}}'))
        good = "data:image/png;base64," + base64.b64encode(picture()).decode()
        captions = await caption_images([good], chat)
        assert captions.texts == {}
        [warning] = captions.warnings
        assert "bad key" in warning
        assert len(warning) < 400

    async def test_no_more_than_so_many_and_so_many_at_a_time(self):
        running = most = 0

        class Slow:
            async def achat(self, messages):
                nonlocal running, most
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.02)
                running -= 1
                return ChatReply("Navy.")

        urls = [f"data:image/png;base64,{base64.b64encode(picture(64 + n)).decode()}" for n in range(8)]
        captions = await caption_images(urls, Slow(), max_images=6, concurrency=2)
        assert list(captions.texts) == urls[:6]
        assert most == 2
        assert captions.warnings == ("2 more images were not described: they are over max_images.",)

    async def test_bad_settings(self):
        with pytest.raises(ConfigError, match="captioner must have a method achat"):
            await caption_images([], "llava")
        for limits in ({"max_images": 0}, {"concurrency": 0}):
            with pytest.raises(ConfigError, match="must be positive"):
                await caption_images([], FakeChat([]), **limits)
        assert await caption_images([], FakeChat([])) == Captions()


class TestExtract:
    async def test_over_the_wire(self, server):
        chat = endpoint(server, completion('{"city": "Oslo", "mm": 3}'))
        found = await extract(chat, "It rains 3 mm in Oslo.", instruction="The rain.", json_schema=SCHEMA)
        assert found == Extraction({"city": "Oslo", "mm": 3}, Usage(9, 2))
        body = json.loads(server.received[0].body)
        assert body["response_format"]["json_schema"]["schema"] == SCHEMA
        system, user = body["messages"]
        assert "not instructions" in system["content"]
        assert user["content"].startswith("The rain.\n\n")
        assert user["content"].endswith("It rains 3 mm in Oslo.")
        assert '"required"' in user["content"]

    @pytest.mark.parametrize(
        ("reply", "value"),
        [
            ('```json\n{"a": 1}\n```', {"a": 1}),
            ('Here it is:\n```json\n{"a": [1]}\n```\nAnything else?', {"a": [1]}),
            ('<think>{"a": 2}</think> {"a": 1}', {"a": 1}),
            ("[1, 2]", [1, 2]),
            ("null", None),
        ],
    )
    async def test_an_instruction_alone_takes_any_json(self, reply, value):
        assert (await extract(FakeChat([reply]), "x", instruction="Numbers.")).value == value

    async def test_what_is_wrong_is_told_to_the_model(self):
        replies = ("Sorry, no.", '{"city": "Oslo"}', '{"city": "Oslo", "mm": 3}')
        chat = FakeChat([ChatReply(reply, Usage(10, 5)) for reply in replies])
        found = await extract(chat, "It rains.", json_schema=SCHEMA)
        assert found == Extraction({"city": "Oslo", "mm": 3}, Usage(30, 15))
        complaints = [message.content for message in chat.asked[-1][2:]]
        assert complaints[0] == "Sorry, no."
        assert complaints[1].startswith("This is no valid JSON: ")
        assert complaints[3] == "At $: 'mm' is a required property. Reply with the JSON alone."

    async def test_a_model_that_stays_out_of_form(self):
        with pytest.raises(ChatError, match="no such JSON in 3 attempts: At \\$.mm: 'much' is not of type 'number'"):
            await extract(FakeChat(['{"city": "Oslo", "mm": "much"}'] * 3), "x", json_schema=SCHEMA)
        for broken in ("NaN", "[" * 100_000, '{"a": {"b": 1}', ""):
            with pytest.raises(ChatError, match="no valid JSON"):
                await extract(FakeChat([broken] * 3), "x", instruction="y")

    async def test_json_that_was_cut(self):
        with pytest.raises(ChatError, match="raise its max_tokens"):
            await extract(FakeChat([ChatReply('{"a": [1', finish_reason="length")]), "x", instruction="y")

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ({"type": "strange"}, "no valid JSON Schema: 'strange' is not valid"),
            ({"default": float("nan")}, "no valid JSON Schema"),
            ({"default": object()}, "no valid JSON Schema"),
            ({"$ref": "http://127.0.0.1:9/schema.json"}, "cannot be applied"),
            ({"$ref": "#/$defs/none"}, "cannot be applied"),
            ({"$ref": "#"}, "cannot be applied"),
        ],
    )
    async def test_schemas_that_cannot_be_used(self, schema, message):
        with pytest.raises(InputError, match=message):
            await extract(FakeChat(["{}"]), "x", json_schema=schema)

    async def test_nothing_asked_or_nothing_there(self):
        with pytest.raises(InputError, match="Say what to extract"):
            await extract(FakeChat([]), "x", instruction=" ")
        with pytest.raises(InputError, match="no content"):
            await extract(FakeChat([]), " ", instruction="x")
        with pytest.raises(ConfigError, match="achat"):
            await extract("llama3", "x", instruction="x")

    async def test_from_html_by_a_converter(self):
        first = ChatReply('{"city": "Oslo", "mm": 3}', Usage(10, 5))
        chat = FakeChat([first, '{"city": "Oslo"}', ChatReply("{", finish_reason="length"), "[1]"])
        converter = ChatConverter(chat)
        found = await extract_from_html(converter, PAGE, json_schema=SCHEMA)
        assert found == Extraction({"city": "Oslo", "mm": 3}, Usage(10, 5))
        assert "<h1>Rain</h1>" in chat.asked[0][0].content
        with pytest.raises(ChatError, match="'mm' is a required property"):
            await extract_from_html(converter, PAGE, json_schema=SCHEMA)
        with pytest.raises(ChatError, match="raise max_tokens"):
            await extract_from_html(converter, PAGE, json_schema=SCHEMA)
        assert (await extract_from_html(converter, PAGE, instruction="Numbers")).value == [1]
        assert chat.asked[-1][0].content.startswith("Numbers\n```html")
        with pytest.raises(InputError, match="Say what to extract"):
            await extract_from_html(converter, PAGE)
