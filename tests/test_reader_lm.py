from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest
import torch
import transformers
from tiny_checkpoints import save_checkpoint
from tiny_generators import count_tokens, save_generator, small_reader_lm

from jina_components import ReaderLM
from jina_components.core.html_prompt import clean_html
from jina_components.errors import (
    ConfigError,
    InputError,
    ModelFilesError,
)
from jina_components.protocols import SupportsConvert
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


def test_truncate_in_the_constructor_and_a_call(tmp_path):
    long = "<p>東京 is wet</p>" * 60
    refusing, cutting = small_reader_lm(tmp_path), small_reader_lm(tmp_path, truncate=True)
    conversion = cutting.convert(long)
    assert conversion.usage.prompt_tokens <= 250
    assert refusing.convert(long, truncate=True) == conversion == pickle.loads(pickle.dumps(cutting)).convert(long)
    for lm, truncate in ((refusing, None), (cutting, False)):
        with pytest.raises(InputError, match="truncate=True"):
            lm.convert(long, truncate=truncate)
        with pytest.raises(InputError, match="truncate=True"):
            asyncio.run(lm.aconvert(long, truncate=truncate))


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
    written = count_tokens(long_lm.load())
    for leave in (lambda stream: stream.close(), lambda stream: None):
        stream = long_lm.stream(PAGE)
        assert next(stream)
        leave(stream)
        assert stream.conversion is None
        del stream
        assert is_idle(long_lm)
        assert len(written) < 3500
        written.clear()
    with long_lm.stream(PAGE) as stream:
        next(stream)
    assert list(stream) == []
    assert is_idle(long_lm)


async def test_a_cancelled_task_stops_the_model(long_lm):
    async def read():
        async for _ in long_lm.stream(PAGE):
            pass

    written = count_tokens(long_lm.load())
    for work in (long_lm.aconvert(PAGE), read()):
        task = asyncio.create_task(work)
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(is_idle, long_lm)
        assert len(written) < 3500
        written.clear()


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
