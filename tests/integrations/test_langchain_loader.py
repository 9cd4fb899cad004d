from __future__ import annotations

import asyncio
import inspect
import logging
import pickle
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_jina_components import JinaReaderLoader
from langchain_text_splitters import RecursiveCharacterTextSplitter
from pydantic import ValidationError
from running_service import PAGES, Served

from jina_components import Reader
from jina_components.errors import BlockedURLError, ConfigError, ExtractionError, InputError, ReadError
from jina_components.protocols import ReadOptions
from jina_components.types import Page, SourceFailure

RAIN = (
    "<html lang='en'><head><title>Rain</title><meta name='description' content='Where it is from'>"
    "<meta property='article:published_time' content='2024-05-01'></head>"
    "<body><article><p>It falls from <b>clouds</b>.</p></article></body></html>"
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "rain.html").write_text(RAIN)
    (tmp_path / "größe.md").write_text("# Größe\n\nEin Text über 日本.")
    return tmp_path


@pytest.fixture
def load() -> Iterator[Callable[..., JinaReaderLoader]]:
    """Makes loaders, which are closed at the end."""
    made: list[JinaReaderLoader] = []

    def make(*arguments: Any, **settings: Any) -> JinaReaderLoader:
        made.append(JinaReaderLoader(*arguments, **settings))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


Load = Callable[..., JinaReaderLoader]


def test_documents_of_files(files: Path, load: Load) -> None:
    loader = load([str(files / "rain.html"), files / "größe.md"])
    assert isinstance(loader, BaseLoader)
    documents = sorted(loader.load(), key=lambda document: document.metadata["source"])
    assert documents == [
        Document("# Größe\n\nEin Text über 日本.", metadata={"source": str(files / "größe.md"), "title": "Größe"}),
        Document(
            "It falls from **clouds**.",
            metadata={
                "source": str(files / "rain.html"),
                "title": "Rain",
                "description": "Where it is from",
                "language": "en",
                "published_time": "2024-05-01",
            },
        ),
    ]


@pytest.mark.parametrize("sources", ["rain.html", Path("rain.html"), ["rain.html"], ("rain.html",)])
def test_one_source_or_many(sources: Any, files: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert [document.metadata["source"] for document in load(sources).load()] == ["rain.html"]


class Unordered:
    """A reader that gives pages in another order than that of their sources."""

    async def aread_many(
        self, sources: Any, *, options: ReadOptions | None = None, show_progress: bool = False
    ) -> AsyncGenerator[tuple[int, Page | SourceFailure], None]:
        for place, name in [(2, "a.md"), (1, "folder/b.md"), (1, "folder/a-b.md"), (1, "folder/a/c.md"), (0, "z.md")]:
            yield place, Page(name, "", "text")


async def test_what_is_loaded_at_once_is_in_order(load: Load) -> None:
    loader = load(["z.md", "folder", "a.md"], reader=Unordered())
    names = ["z.md", "folder/a/c.md", "folder/a-b.md", "folder/b.md", "a.md"]
    assert [document.metadata["source"] for document in loader.load()] == names
    assert [document.metadata["source"] for document in await loader.aload()] == names


def test_folders_and_none(files: Path, load: Load) -> None:
    assert len(load(files).load()) == 2
    assert load([]).load() == []


async def test_all_ways_agree(files: Path, load: Load) -> None:
    loader = load([files / "rain.html"])
    documents = loader.load()
    assert list(loader.lazy_load()) == documents
    assert await loader.aload() == documents
    assert [document async for document in loader.alazy_load()] == documents
    assert inspect.isgenerator(loader.lazy_load())
    assert inspect.isasyncgen(loader.alazy_load())


def test_splits(tmp_path: Path, load: Load) -> None:
    (tmp_path / "long.md").write_text("One sentence of many. " * 100)
    splitter = RecursiveCharacterTextSplitter(chunk_size=200, chunk_overlap=0)
    chunks = load(tmp_path).load_and_split(splitter)
    assert len(chunks) > 5
    assert {chunk.metadata["source"] for chunk in chunks} == {str(tmp_path / "long.md")}
    assert splitter.transform_documents(load(tmp_path).load()) == chunks


class Sources:
    """Files without end, of which it is known how many were asked for."""

    def __init__(self, folder: Path) -> None:
        self.given = 0
        self._folder = folder

    def __iter__(self) -> Iterator[Path]:
        while True:
            path = self._folder / f"{self.given}.md"
            path.write_text(f"# Number {self.given}\n\nA text.")
            self.given += 1
            yield path


def test_loads_no_more_than_is_taken(tmp_path: Path, load: Load) -> None:
    sources = Sources(tmp_path)
    documents = load(sources, reader=Reader(concurrency=2)).lazy_load()
    for taken, document in zip(range(1, 30), documents, strict=False):
        assert document.page_content.endswith("A text.")
        assert sources.given <= taken + 3


@pytest.mark.parametrize("source", ["missing.md", "empty.md"])
def test_the_first_failure_raises_and_names_its_source(source: str, files: Path, load: Load) -> None:
    (files / "empty.md").write_text("")
    with pytest.raises((ReadError, ExtractionError), match=source):
        load([files / source]).load()


def test_failures_are_logged_where_one_wishes(files: Path, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    sources = [files / "missing.md", "http://127.0.0.1:1/", files / "rain.html"]
    with caplog.at_level(logging.WARNING):
        documents = load(sources, continue_on_failure=True).load()
    assert [document.metadata["title"] for document in documents] == ["Rain"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all("continue_on_failure" in message for message in told)
    assert any("missing.md" in message for message in told)
    assert any("is no public address" in message for message in told)


def test_warnings_are_logged(tmp_path: Path, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "odd.txt").write_bytes("größe und straße".encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        [document] = load(tmp_path).load()
    assert "odd.txt" in caplog.text
    assert "warnings" not in document.metadata


def test_addresses_within_are_refused(load: Load) -> None:
    with pytest.raises(BlockedURLError):
        load("http://169.254.169.254/latest/meta-data").load()


class Recording:
    """A reader that takes its time, and knows what became of it."""

    def __init__(self) -> None:
        self.asked: Any = None
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def aread_many(
        self, sources: Any, *, options: ReadOptions | None = None, show_progress: bool = False
    ) -> AsyncGenerator[tuple[int, Page | SourceFailure], None]:
        self.asked = (options, show_progress)
        try:
            yield 0, Page("a", "A", "text", extracted={"price": 3})
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def test_breaking_off_ends_the_reading() -> None:
    recording = Recording()
    options = ReadOptions(instruction="the price")
    async for document in JinaReaderLoader("a", reader=recording, options=options, show_progress=True).alazy_load():
        assert document.metadata == {"source": "a", "title": "A", "extracted": {"price": 3}}
        break
    await asyncio.wait_for(recording.ended.wait(), 30)
    assert recording.asked == (options, True)

    recording = Recording()
    for _ in JinaReaderLoader("a", reader=recording).lazy_load():
        break
    assert recording.ended.is_set()


async def test_cancelling_ends_the_reading() -> None:
    recording = Recording()
    task = asyncio.create_task(JinaReaderLoader("a", reader=recording).aload())
    await recording.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recording.ended.is_set()


def test_options(files: Path, load: Load) -> None:
    for options in (ReadOptions(format="text"), {"format": "text"}):
        [document] = load(files / "rain.html", options=options).load()
        assert document.page_content == "It falls from clouds."


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"reader": Reader(), "base_url": "http://localhost:1"}, "takes either reader or settings"),
        ({"reader": 3}, "SupportsReadMany"),
        ({"continue_on_error": True}, "Extra inputs"),
        ({"options": {"links": "blue"}}, "Input should be 'all'"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match=told):
        JinaReaderLoader("a", **settings)


def test_wrong_sources(files: Path, load: Load) -> None:
    with pytest.raises(InputError, match=r"sources\[1\]"):
        load([files / "rain.html", 3]).load()


async def test_of_a_service(service: Served, load: Load) -> None:
    urls = [service.site.url(path) for path in PAGES]
    loader = load(urls, base_url=service.url)
    documents = loader.load()
    assert {document.metadata["source"]: document.metadata["title"] for document in documents} == {
        service.site.url(path): title for path, (title, _) in PAGES.items()
    }
    assert {document.page_content for document in await loader.aload()} == {
        document.page_content for document in documents
    }
    gone = load([*urls, service.site.url("/gone")], base_url=service.url, continue_on_failure=True)
    assert len(gone.load()) == len(urls)


def test_pickles_and_hides_its_key(files: Path) -> None:
    loader = JinaReaderLoader([str(files)], jina_api_key="jina_secret")
    assert "jina_secret" not in f"{loader!r} {loader}"
    again = pickle.loads(pickle.dumps(loader))
    assert (again.sources, again.jina_api_key) == (loader.sources, loader.jina_api_key)
