from __future__ import annotations

import asyncio
import json
import logging
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import MetadataMode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index_jina_components import JinaReader
from local_server import http, loopback_fetcher
from running_service import PAGES, Served

from jina_components import Reader
from jina_components.core.background import run_sync
from jina_components.errors import ConfigError, InputError, ReadError, WebError
from jina_components.read_options import ReadOptions
from jina_components.remote import Remote, RemoteReader

KEYS = ("JINA_API_KEY", "JINAAI_API_KEY")
RAIN = (
    "<html lang='en'><head><title>Rain ☔</title><meta name='description' content='Of rain.'>"
    "<meta property='article:published_time' content='2026-05-01T00:00:00+00:00'></head>"
    "<body><p>It rains <b>today</b>.</p></body></html>"
)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rain.html").write_text(RAIN, encoding="utf-8")
    (tmp_path / "snow.md").write_text("# Snow\n\nSnow is white.", encoding="utf-8")
    (tmp_path / "empty.html").write_text("")
    return tmp_path


@pytest.fixture(params=["here", "on a server"])
def reader(request: pytest.FixtureRequest, service: Served) -> Iterator[JinaReader]:
    fetcher = loopback_fetcher()
    with Reader(fetcher=fetcher) as here, RemoteReader(Remote(service.url)) as there:
        yield JinaReader(reader=here) if request.param == "here" else JinaReader(reader=there)
    run_sync(fetcher.aclose())


def test_reads_urls(reader: JinaReader, service: Served) -> None:
    tides, bridge = (service.site.url(path) for path in ("/tides", "/bridge"))
    first, second = reader.load_data([tides, bridge])
    assert (first.doc_id, second.doc_id) == (tides, bridge)
    assert second.metadata["source"] == bridge
    assert second.metadata["title"] == "The Holm Bridge"
    assert second.text == PAGES["/bridge"][1]
    assert reader.load_data([tides, bridge]) == [first, second]
    assert reader.load_data([]) == []
    assert list(reader.lazy_load_data([])) == []


async def test_all_ways_read_the_same(reader: JinaReader, service: Served) -> None:
    urls = [service.site.url(path) for path in PAGES]
    loaded = reader.load_data(urls)  # also inside a running loop, as in notebooks
    assert await reader.aload_data(urls) == loaded
    assert sorted(reader.lazy_load_data(iter(urls)), key=lambda each: urls.index(each.doc_id)) == loaded
    lazily = [document async for document in await reader.alazy_load_data(iter(urls))]
    assert sorted(lazily, key=lambda each: urls.index(each.doc_id)) == loaded
    await reader._component.aclose()  # what was opened on this loop


def test_a_source_that_fails_is_named(reader: JinaReader, service: Served, caplog: pytest.LogCaptureFixture) -> None:
    good, gone = service.site.url("/bread"), service.site.url("/gone")
    with pytest.raises(WebError, match="/gone"):
        reader.load_data([good, gone])
    with pytest.raises(WebError, match="/gone"):
        list(reader.lazy_load_data([gone]))
    lenient = reader.model_copy(update={"raise_on_error": False})
    with caplog.at_level(logging.WARNING, "llama_index_jina_components"):
        assert [each.doc_id for each in lenient.load_data([gone, good])] == [good]
        assert [each.doc_id for each in lenient.lazy_load_data([gone, good])] == [good]
    assert [record.getMessage().startswith(f"{gone} is left out: ") for record in caplog.records] == [True, True]


def test_all_that_fail_are_named(folder: Path) -> None:
    missing = [folder / "a.md", folder / "b.md"]
    with pytest.raises(ReadError, match=r"a\.md") as raised:
        JinaReader().load_data(missing)
    [note] = raised.value.__notes__
    assert str(missing[1]) in note


def test_metadata_of_files(folder: Path) -> None:
    [document] = JinaReader().load_data(folder / "rain.html", {"by": "me"})
    assert document.metadata == {
        "source": str(folder / "rain.html"), "title": "Rain ☔", "description": "Of rain.",
        "published_time": "2026-05-01T00:00:00+00:00", "language": "en", "by": "me",
    }  # fmt: skip
    assert document.text == "It rains **today**."
    assert "rain.html" not in document.get_content(MetadataMode.EMBED)
    assert "Rain ☔" in document.get_content(MetadataMode.EMBED)
    assert "rain.html" in document.get_content(MetadataMode.LLM)
    [document] = JinaReader(options=ReadOptions(format="text")).load_data([str(folder / "rain.html")])
    assert document.text == "It rains today."


def test_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "guess.txt").write_bytes("Straße und Café in der größten Stadt für müde Gäste".encode("latin-1"))
    with caplog.at_level(logging.WARNING, "llama_index_jina_components"):
        [document] = JinaReader().load_data(tmp_path / "guess.txt")
    assert "Café" in document.text
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [document.doc_id]


def test_folders(folder: Path) -> None:
    (folder / "empty.html").unlink()
    titles = [document.metadata["title"] for document in JinaReader().load_data(folder)]
    assert titles == ["Rain ☔", "Snow"]


async def test_reads_for_a_directory_reader(folder: Path) -> None:
    (folder / "empty.html").unlink()
    whole = SimpleDirectoryReader(str(folder), file_extractor={".html": JinaReader()}, raise_on_error=True)
    rain, snow = whole.load_data()
    assert (rain.text, rain.metadata["file_name"]) == ("It rains **today**.", "rain.html")
    assert "Snow is white." in snow.text
    assert [each.text for each in await whole.aload_data()] == [rain.text, snow.text]


def test_a_pipeline_knows_documents_again(folder: Path) -> None:
    (folder / "empty.html").unlink()
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter()],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
    )
    reader = JinaReader()
    assert len(pipeline.run(documents=reader.load_data(folder))) == 2
    assert len(pipeline.run(documents=reader.load_data(folder))) == 0
    (folder / "snow.md").write_text("# Snow\n\nSnow is cold.", encoding="utf-8")
    [node] = pipeline.run(documents=reader.load_data(folder))
    assert "cold" in node.text


async def test_ending_the_loop_ends_the_reading(start_server) -> None:
    entered = threading.Event()

    async def hang(request, writer) -> None:
        entered.set()
        await asyncio.sleep(60)

    site = start_server()
    site.routes |= {"/slow": hang, "/fast": [http(body=b"<p>Fast.</p>", content_type="text/html")]}
    fetcher = loopback_fetcher()
    here = Reader(fetcher=fetcher)
    reader = JinaReader(reader=here)
    documents = await reader.alazy_load_data([site.url("/slow"), site.url("/fast")])
    assert (await anext(documents)).text == "Fast."
    await documents.aclose()
    entered.clear()
    task = asyncio.create_task(reader.aload_data(site.url("/slow")))
    await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await here.aclose()
    await fetcher.aclose()


def test_threads_share_a_reader(folder: Path) -> None:
    reader = JinaReader()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(reader.load_data, [folder / "rain.html", folder / "snow.md"] * 4))
    assert [document.metadata["title"] for [document] in found] == ["Rain ☔", "Snow"] * 4


def test_round_trips(service: Served) -> None:
    options, url = ReadOptions(links="text", images="none"), service.site.url("/tides")
    for reader in (
        JinaReader(options=options, raise_on_error=False),
        JinaReader(reader=Reader(options=options)),
        JinaReader(base_url=service.url, options=options, timeout=70, max_retries=0),
        JinaReader(reader=RemoteReader(Remote(service.url), options=options)),
    ):
        written = reader.to_dict()
        assert isinstance(reader, BasePydanticReader)
        assert written["class_name"] == "JinaReader"
        again = JinaReader.from_dict(json.loads(json.dumps(written)))
        assert again.to_dict() == pickle.loads(pickle.dumps(reader)).to_dict() == written
        assert (again.options, type(again.reader)) == (reader.options, type(reader.reader))
        if reader.base_url or isinstance(reader.reader, RemoteReader):
            with closing(again._component):
                assert [each.metadata["title"] for each in again.load_data(url)] == ["Tides"]


def test_keys_are_never_written_and_always_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = JinaReader(api_key="jina_secret", base_url="http://127.0.0.1:1")
    assert "jina_secret" not in f"{reader!r} {reader.to_dict()} {reader.to_json()}"
    again = pickle.loads(pickle.dumps(reader))
    assert again.api_key.get_secret_value() == "jina_secret"
    monkeypatch.setenv("JINA_API_KEY", "jina_other")
    assert JinaReader.from_dict(reader.to_dict()).remote.api_key == "jina_other"
    given = JinaReader(reader=RemoteReader(Remote(api_key="jina_secret"))).to_json()
    assert "jina_secret" not in given
    with pytest.raises(ConfigError, match="given again"):
        JinaReader.from_json(given)


def test_secrets_of_options_are_left_out_and_always_pickled() -> None:
    options = ReadOptions(
        links="text", cookies=("a=secret",), headers={"Authorization": "secret"}, proxy="http://a:b@c"
    )
    reader = JinaReader(options=options)
    assert reader.to_dict()["options"] == {"links": "text"}
    assert pickle.loads(pickle.dumps(reader)).options == options


def test_wrong_input(service: Served) -> None:
    with pytest.raises(ConfigError, match="takes either reader or"):
        JinaReader(reader=Reader(), base_url=service.url)
    with pytest.raises(ValueError, match="reader"):
        JinaReader(reader="me")
    with pytest.raises(ValueError, match="session"):
        JinaReader(session="mine")
    with pytest.raises(InputError, match=r"sources\[1\]"):
        JinaReader().load_data(["a", 7])  # type: ignore[list-item]
    with pytest.raises(InputError, match="http"):
        JinaReader().load_data("ftp://example.com")
