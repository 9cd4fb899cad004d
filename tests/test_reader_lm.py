from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
import time
from inspect import signature
from types import MappingProxyType

import pytest
import torch
import transformers
from local_server import http, loopback_fetcher
from tiny_checkpoints import save_checkpoint
from tiny_generators import save_generator

from jina_components import Reader, ReaderLM
from jina_components.cli import main, reading
from jina_components.core.background import run_sync
from jina_components.errors import (
    BackendError,
    ConfigError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    ModelFilesError,
)
from jina_components.protocols import Conversion, SupportsConvert
from jina_components.reader_lm import clean_html
from jina_components.types import Usage

PAGE = """<!doctype html><html lang="en"><head><title>Rain</title><style>p { color: red }</style></head>
<body><nav><a href="/">Home</a></nav><article><h1>Rain over 東京</h1>
<p>It rains <b>today</b>, says the <a href="/office">office</a>, and it will rain tomorrow as well.</p>
<script>track("me")</script><p>Zażółć gęślą jaźń.</p></article></body></html>"""
INSTRUCTION = "Extract the main content from the given HTML and convert it to Markdown format."


def circular():
    schema = {}
    schema["a"] = schema
    return schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_generator(tmp_path_factory.mktemp("reader_lm"))


@pytest.fixture(scope="module")
def lm(folder):
    return ReaderLM(folder, precision="float32", max_tokens=50)


def wanted(folder, turn, length, penalty=1.08):
    """What transformers' own tokenizer, template and greedy search make of a user's turn: text, and tokens of both."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": turn}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    output = model.generate(**inputs, max_new_tokens=length, do_sample=False, repetition_penalty=penalty)
    given = inputs["input_ids"].shape[1]
    text = tokenizer.decode(output[0, given:], skip_special_tokens=True)
    return text, Usage(given, output.shape[1] - given)


# --- conversion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [1.0, 1.08])
def test_the_text_is_that_of_transformers(folder, penalty):
    lm = ReaderLM(folder, precision="float32", max_tokens=50, repetition_penalty=penalty)
    conversion = lm.convert(PAGE)
    turn = f"{INSTRUCTION}\n```html\n{clean_html(PAGE)}\n```"
    assert (conversion.text, conversion.usage) == wanted(folder, turn, 50, penalty)
    assert conversion.finish_reason == "length"
    assert str(conversion) == conversion.text


def test_instruction_and_schema(folder, lm):
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    asked = f"\nThe JSON schema is as follows:```json\n{json.dumps(schema, indent=2)}\n```"
    infer = "Infer useful information from the HTML and present it in a structured JSON object."
    turns = {
        "Find the menu.\n```html\n<p>x</p>\n```": lm.convert("<p>x</p>", instruction="Find the menu."),
        f"{infer}\n```html\n<p>x</p>\n```{asked}": lm.convert("<p>x</p>", schema=schema),
        f"Prices!\n```html\n<p>x</p>\n```{asked}": lm.convert(
            "<p>x</p>", instruction="Prices!", schema=json.dumps(schema, indent=2)
        ),
        "<p>x</p>": lm.convert("<p>x</p>", instruction=""),
    }
    for turn, conversion in turns.items():
        assert (conversion.text, conversion.usage) == wanted(folder, turn, 50)
    with pytest.raises(InputError, match="schema needs an instruction"):
        lm.convert("<p>x</p>", instruction="", schema=schema)


def test_the_first_models_take_html_alone(tmp_path):
    """As their rows of the catalog say, which a folder of that name has too."""
    folder = save_generator(tmp_path / "reader-lm-0.5b")
    lm = ReaderLM(folder, precision="float32", max_tokens=50)
    assert lm.convert("<p>x</p>").text == wanted(folder, "<p>x</p>", 50)[0]
    with pytest.raises(InputError, match="schema needs an instruction"):
        lm.convert("<p>x</p>", schema={})


@pytest.mark.parametrize("name", ["ReaderLM-v2", "reader-lm-0.5b", "reader-lm-1.5b"])
def test_the_catalog_knows_them(name):
    with pytest.raises(ModelFilesError, match="not complete in the local cache"):
        ReaderLM(name, offline=True).load()


def test_over_the_context(folder):
    lm = ReaderLM(folder, precision="float32", max_tokens=4096 - 250)
    long = "<p>東京 is wet</p>" * 60
    with pytest.raises(InputError, match=r"of which 250 fit the model's context beside max_tokens"):
        lm.convert(long)
    with pytest.raises(InputError, match="250 fit"):
        next(lm.stream(long))
    begun = lm.stream(long, truncate=True)
    assert next(begun)
    begun.close()
    with pytest.raises(ConfigError, match="leaves no room"):
        ReaderLM(folder, max_tokens=4096).convert("<p>x</p>")


def small_context(folder, **settings):
    """A model of 250 tokens for a page, of which it writes few, whatever comes."""
    save_generator(folder, max_position_embeddings=255)
    return ReaderLM(folder, precision="float32", max_tokens=5, **settings)


def test_truncate_in_the_constructor_and_a_call(tmp_path):
    long = "<p>東京 is wet</p>" * 60
    refusing, cutting = small_context(tmp_path), small_context(tmp_path, truncate=True)
    conversion = cutting.convert(long)
    assert conversion.usage.prompt_tokens <= 250
    assert refusing.convert(long, truncate=True) == conversion == pickle.loads(pickle.dumps(cutting)).convert(long)
    for lm, truncate in ((refusing, None), (cutting, False)):
        with pytest.raises(InputError, match="truncate=True"):
            lm.convert(long, truncate=truncate)
        with pytest.raises(InputError, match="truncate=True"):
            asyncio.run(lm.aconvert(long, truncate=truncate))


def test_the_reader_with_long_pages(tmp_path):
    refusing, cutting = small_context(tmp_path), small_context(tmp_path, truncate=True)
    page = tmp_path / "long.html"
    page.write_text("<p>東京 is wet</p>" * 60, encoding="utf-8")
    assert Reader(html_converter=cutting).read(page).metadata["conversion"]["prompt_tokens"] <= 250
    with pytest.raises(InputError, match=r"long\.html cannot be converted: .*truncate=True") as caught:
        Reader(html_converter=refusing).read(page)
    assert isinstance(caught.value.__cause__, InputError)
    assert "long.html" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("html", "message"),
    [
        (b"<p>x</p>", "html must be str, got bytes"),
        ("", "nothing to convert"),
        (" \n", "nothing to convert"),
        ("<script>x</script><!-- y --><style>z</style>", "nothing to convert"),
        ("\ud800", "not valid Unicode"),
        ("x" * 5_000_001, "more than 5,000,000"),
    ],
)
def test_what_is_no_page(html, message):
    """Found before a model is loaded, and by each method at once."""
    lm = ReaderLM("no-such-model")
    with pytest.raises(InputError, match=message):
        lm.convert(html)
    with pytest.raises(InputError, match=message):
        asyncio.run(lm.aconvert(html))
    with pytest.raises(InputError, match=message):
        lm.stream(html)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("max_tokens", value) for value in (0, -1, 5.5, 5.0, True, "5", None, float("nan"))),
        *(("repetition_penalty", value) for value in (0, -1.0, float("nan"), float("inf"), 10**400, True, "1.1", None)),
        ("precision", "int8"),
    ],
)
def test_wrong_settings(setting, value):
    with pytest.raises(ConfigError, match=setting):
        ReaderLM(**{setting: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"instruction": 5}, "instruction must be str, got int"),
        ({"instruction": b"x"}, "instruction must be str, got bytes"),
        ({"instruction": "\ud800"}, "instruction is not valid Unicode"),
        ({"schema": ["a"]}, "schema must be str or a mapping, got list"),
        ({"schema": 5}, "schema must be str or a mapping, got int"),
        ({"schema": "\ud800"}, "schema is not valid Unicode"),
        ({"schema": {"a": "\ud800"}}, "schema is not valid Unicode"),
        ({"schema": {"a": {1, 2}}}, "schema cannot be written as JSON: .*set"),
        ({"schema": {(1, 2): "a"}}, "schema cannot be written as JSON: .*tuple"),
        ({"schema": {"a": float("nan")}}, "schema cannot be written as JSON"),
        ({"schema": circular()}, "schema cannot be written as JSON: Circular"),
    ],
)
def test_what_is_no_instruction_or_schema(given, message):
    """Found before a model is loaded, and by each method at once."""
    lm = ReaderLM("no-such-model")
    for call in (lm.convert, lm.stream, lambda html, **given: asyncio.run(lm.aconvert(html, **given))):
        with pytest.raises(InputError, match=message):
            call("<p>x</p>", **given)


def test_any_mapping_is_a_schema(lm):
    schema = {"type": "object", "title": "東京"}
    texts = {
        lm.convert("<p>x</p>", schema=given).usage.prompt_tokens
        for given in (schema, MappingProxyType(schema), json.dumps(schema, indent=2, ensure_ascii=False))
    }
    assert len(texts) == 1


def test_settings():
    lm = ReaderLM("some/model", max_tokens=7, device="cpu")
    assert repr(pickle.loads(pickle.dumps(lm))) == repr(lm) == "ReaderLM('some/model')"
    assert lm.name == "some/model"
    assert isinstance(lm, SupportsConvert)


def test_models_of_another_kind(tmp_path):
    with pytest.raises(ModelFilesError, match="does not generate text"):
        ReaderLM(save_checkpoint(tmp_path)).convert("<p>x</p>")
    with pytest.raises(ConfigError, match="of kind 'embedding'"):
        ReaderLM("all-MiniLM-L6-v2").convert("<p>x</p>")


def test_without_torch(folder):
    code = f"""
import sys
sys.modules["torch"] = None
from jina_components import ReaderLM
try:
    ReaderLM({str(folder)!r}).convert("<p>x</p>")
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "MissingDependencyError This model needs torch: pip install 'jina-components[torch]'."


def test_close_and_load_again(folder):
    with ReaderLM(folder, precision="float32", max_tokens=5) as lm:
        first = lm.convert("<p>x</p>")
        assert lm.load() is lm.load()
    assert lm._model is None
    assert lm.convert("<p>x</p>") == first


# --- streams, async -----------------------------------------------------------------------------------------------


def test_a_stream_gives_the_same(lm):
    whole = lm.convert(PAGE)
    stream = lm.stream(PAGE)
    assert stream.conversion is None
    assert repr(stream) == "ConversionStream(not begun)"
    pieces = [next(stream)]
    assert repr(stream) == "ConversionStream(open)"
    pieces += stream
    assert repr(stream) == "ConversionStream(ended)"
    assert len(pieces) > 5
    assert all(pieces)
    assert "".join(pieces) == whole.text
    assert stream.conversion == whole
    assert list(stream) == []


async def test_async_gives_the_same(lm):
    whole = lm.convert(PAGE)
    assert await lm.aconvert(PAGE) == whole
    stream = lm.stream(PAGE)
    assert "".join([piece async for piece in stream]) == whole.text
    assert stream.conversion == whole
    assert await asyncio.gather(*(lm.aconvert(PAGE) for _ in range(4))) == [whole] * 4


def is_idle(lm):
    end = time.monotonic() + 20
    while lm.load()._thread is not None and time.monotonic() < end:
        time.sleep(0.01)
    return lm.load()._thread is None


@pytest.fixture
def long_lm(folder):
    """Writes for seconds, unless it is stopped."""
    lm = ReaderLM(folder, precision="float32", max_tokens=3500)
    lm.load()
    return lm


def test_an_abandoned_stream_stops_the_model(long_lm):
    for leave in (lambda stream: stream.close(), lambda stream: None):
        stream = long_lm.stream(PAGE)
        assert next(stream)
        left = time.monotonic()
        leave(stream)
        assert stream.conversion is None
        del stream
        assert is_idle(long_lm)
        assert time.monotonic() - left < 2
    with long_lm.stream(PAGE) as stream:
        next(stream)
    assert list(stream) == []
    assert is_idle(long_lm)


async def test_a_cancelled_task_stops_the_model(long_lm):
    async def read():
        async for _ in long_lm.stream(PAGE):
            pass

    for work in (long_lm.aconvert(PAGE), read()):
        task = asyncio.create_task(work)
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = time.monotonic()
        assert await asyncio.to_thread(is_idle, long_lm)
        assert time.monotonic() - left < 2


async def test_a_timeout_ends_a_stream(long_lm):
    blocker, stream = long_lm.stream(PAGE), long_lm.stream(PAGE)
    await anext(blocker)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.2)
    assert [piece async for piece in stream] == []
    blocker.close()
    assert await asyncio.to_thread(is_idle, long_lm)


def test_threads_share_a_model(lm):
    pages = [f"<p>{word}</p>" for word in ("rain", "東京", "snow", "é")]
    alone = [lm.convert(page) for page in pages]
    found = [None] * len(pages)

    def work(place):
        found[place] = (lm.convert(pages[place]), "".join(lm.stream(pages[place])))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(pages))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(one, one.text) for one in alone]


# --- the Reader's option ------------------------------------------------------------------------------------------


@pytest.fixture
def fetcher():
    made = loopback_fetcher()
    yield made
    run_sync(made.aclose())


@pytest.fixture
def served(server):
    server.routes["/rain"] = [http(200, PAGE.encode(), content_type="text/html; charset=utf-8")]
    server.routes["/text"] = [http(200, b"# Notes\n\nplain", content_type="text/markdown")]
    return server


def test_the_readers_option(served, fetcher, lm):
    plain = Reader(fetcher=fetcher).read(served.url("/rain"))
    page = Reader(fetcher=fetcher, html_converter=lm).read(served.url("/rain"))
    conversion = lm.convert(PAGE)
    assert page.content == conversion.text
    assert page.metadata["conversion"] == {
        "prompt_tokens": conversion.usage.prompt_tokens, "completion_tokens": 50, "finish_reason": "length",
    }  # fmt: skip
    assert page.warnings == ("The Markdown reached its longest length: what follows was not converted.",)
    kept = ("url", "title", "language", "links", "images", "description")
    assert [getattr(page, name) for name in kept] == [getattr(plain, name) for name in kept]
    assert page.title == "Rain"
    assert page.links == (("office", served.url("/office")),)


def test_other_formats_are_not_converted(served, fetcher, lm):
    reader = Reader(fetcher=fetcher, html_converter=lm)
    assert reader.read(served.url("/text")).content == "# Notes\n\nplain"
    assert pickle.loads(pickle.dumps(Reader(html_converter=lm))).read(b"plain").content == "plain"
    assert reader.read(b"plain").content == "plain"


def test_the_option_for_many_sources(served, fetcher, lm, tmp_path):
    """Of a page in another encoding the model is given the decoded text."""
    legacy = PAGE.replace("東京", "").replace("<title>", '<meta charset="iso-8859-2"><title>')
    (tmp_path / "legacy.html").write_bytes(legacy.encode("iso8859-2"))
    sources = [served.url("/rain"), served.url("/none"), str(tmp_path / "legacy.html")]
    reading = Reader(fetcher=fetcher, html_converter=lm).read_all(sources)
    assert [page.content for page in reading.pages] == [lm.convert(PAGE).text, lm.convert(legacy).text]
    assert len(reading.failures) == 1


def test_any_converter_serves_and_its_errors_are_told(served, fetcher):
    class Shouting:
        async def aconvert(self, html):
            if "Rain" not in html:
                raise BackendError("no rain")
            return Conversion("RAIN", Usage(1, 2))

    reader = Reader(fetcher=fetcher, html_converter=Shouting())
    page = reader.read(served.url("/rain"))
    assert page.content == "RAIN"
    assert page.warnings == ()
    with pytest.raises(BackendError, match="^The given data cannot be converted: no rain$"):
        reader.read(b"<p>It is dry today, and it will be tomorrow.</p>")


class OddError(JinaComponentsError):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (InputError("too long", 3), InputError),
        (ModelFilesError("no files"), ModelFilesError),
        (HTTPStatusError("no answer", "http://model.test/", 503, index=2), HTTPStatusError),
        (OddError("this", "that"), JinaComponentsError),
    ],
)
def test_an_error_of_the_converter_names_the_page_and_keeps_its_class(tmp_path, raised, kind):
    class Failing:
        async def aconvert(self, html):
            raise raised

    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    with pytest.raises(JinaComponentsError, match=r"page\.html cannot be converted: ") as caught:
        Reader(html_converter=Failing()).read(tmp_path / "page.html")
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is raised
    assert str(error).endswith(str(raised))
    if kind is not JinaComponentsError:
        told = {name: value for name, value in vars(raised).items() if name != "message"}
        assert {name: value for name, value in vars(error).items() if name != "message"} == told
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    [failure] = Reader(html_converter=Failing()).read_all([tmp_path / "page.html"]).failures
    assert type(failure.error) is kind


@pytest.mark.parametrize("converter", [5, "ReaderLM-v2", ReaderLM, object(), len])
def test_what_converts_nothing(converter):
    with pytest.raises(ConfigError, match="html_converter must have a method aconvert"):
        Reader(html_converter=converter)


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command(tmp_path, capsys):
    folder = save_generator(tmp_path / "model", max_position_embeddings=20_000, eos_token_id=[*range(200, 320)])
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    page = str(tmp_path / "page.html")
    assert main(["read", page, "--reader-lm", str(folder), "--json"]) == 0
    converted = json.loads(capsys.readouterr().out)
    assert converted["content"] == ReaderLM(folder).convert(PAGE).text
    assert converted["title"] == "Rain"
    assert main(["read", page]) == 0
    assert "It rains today" in capsys.readouterr().out
    assert main(["read", page, "--reader-lm", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err


def test_the_commands_length_and_truncation(tmp_path, capsys):
    folder = save_generator(tmp_path / "model", max_position_embeddings=255)
    page = str(tmp_path / "page.html")
    (tmp_path / "page.html").write_text("<p>東京 is wet</p>" * 60, encoding="utf-8")
    command = ["read", page, "--reader-lm", str(folder), "--max-tokens", "5"]
    assert main([*command, "--json", "--truncate"]) == 0
    conversion = json.loads(capsys.readouterr().out)["metadata"]["conversion"]
    assert conversion["prompt_tokens"] <= 250
    assert conversion["completion_tokens"] <= 5
    assert main(command) == 2
    assert "page.html cannot be converted" in capsys.readouterr().err
    assert main(["read", page, "--reader-lm", str(folder), "--max-tokens", "0"]) == 2
    assert "max_tokens must be" in capsys.readouterr().err
    for options in (["--truncate"], ["--max-tokens", "5"]):
        assert main(["read", page, *options]) == 2
        assert "--reader-lm" in capsys.readouterr().err


def test_the_command_says_the_default():
    assert signature(ReaderLM).parameters["max_tokens"].default == reading._MAX_TOKENS
