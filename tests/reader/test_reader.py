from __future__ import annotations

import asyncio
import gzip
import os
import pickle
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import http, loopback_fetcher
from reader_samples import ARTICLE, PAGE, pdf

from jina_components.core.background import run_sync
from jina_components.errors import (
    BackendError,
    BlockedURLError,
    ConfigError,
    ContentTooLargeError,
    ExtractionError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    ReadError,
)
from jina_components.net import Fetched, Fetcher, Politeness, URLGuard
from jina_components.reader import Reader, pages
from jina_components.reader.formats import READERS
from jina_components.types import Page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with one file of each format and some that cannot be read."""
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "b.pdf").write_bytes(pdf([["A page of the book."]]))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.md").write_text("# Heading\n\ntext")
    (tmp_path / "sub" / "d.txt").write_bytes(b"\0\1\2\3" * 100)
    (tmp_path / "sub" / "e.txt").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "sub" / "f.txt")
    (tmp_path / "sub" / "g.py").write_text("not read in a walk")
    return tmp_path


def test_reads_files_by_path_and_by_path_object(reader: Reader, folder: Path) -> None:
    for name, title in [("a.html", "The Ledgers"), ("b.pdf", "A page of the book."), ("sub/c.md", "Heading")]:
        path = folder / name
        assert reader.read(path) == reader.read(str(path))
        assert reader.read(path).title == title
        assert reader.read(path).url == str(path)


def test_a_named_file_is_read_whatever_its_suffix(reader: Reader, folder: Path) -> None:
    assert reader.read(folder / "sub" / "g.py").content == "not read in a walk"


def test_reads_bytes_with_a_base_url(reader: Reader) -> None:
    page = reader.read(PAGE.encode(), base_url="https://h.example/")
    assert page.url == "https://h.example/"
    assert page.links == (("the archive", "https://h.example/news/more.html"),)
    assert reader.read(b"plain").url == ""


def test_a_content_type_given_by_the_caller_decides(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "x.html"
    path.write_bytes("<p>é".encode("cp1252"))
    assert reader.read(path, content_type="text/plain; charset=windows-1252").content == "<p>é"


def test_reads_urls(reader: Reader, site) -> None:
    url = site.add("/p/a.html", PAGE.encode("cp1252"), "text/html; charset=windows-1252")
    page = reader.read(url)
    assert page.url == url
    assert page.title == "The Ledgers"
    assert page.links == (("the archive", f"{site.url}/news/more.html"),)
    assert reader.read(url.replace("http", "HTTP", 1)) == page
    assert reader.read(site.add("/b", pdf([["Page one."]]), "application/pdf")).metadata["num_pages"] == 1
    packed = site.add("/c", gzip.compress(b"# T"), "text/markdown", **{"Content-Encoding": "gzip"})
    assert reader.read(packed).title == "T"


def test_after_a_redirect_the_final_url_counts(reader: Reader, site) -> None:
    site.add(
        "/new/x.html",
        b"<article><p>" + ARTICLE.encode() + b" <a href='y'>link</a></p></article>",
        "text/html",
    )
    page = reader.read(site.add("/old", b"", status=302, Location="/new/x.html"))
    assert page.url == f"{site.url}/new/x.html"
    assert page.links == (("link", f"{site.url}/new/y"),)
    assert page.title == "x.html"


def test_errors_of_urls(reader: Reader, site) -> None:
    with pytest.raises(HTTPStatusError):
        reader.read(site.url + "/missing")
    with pytest.raises(ExtractionError, match="PNG") as caught:
        reader.read(site.add("/image", b"\x89PNG\r\n\x1a\n\0\0", "image/png"))
    assert caught.value.source == f"{site.url}/image"
    with pytest.raises(BlockedURLError):
        Reader().read(site.add("/x", b"text"))
    with pytest.raises(InputError, match="pass the path of the file instead"):
        reader.read("file:///etc/hosts")


def test_the_size_limit_holds_for_files_and_the_default_fetcher(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"12345")
    with pytest.raises(ReadError, match="exceeds 4 bytes"):
        Reader(max_file_bytes=4).read(tmp_path / "x.txt")
    assert Reader(max_file_bytes=4)._loader._web().max_bytes == 4
    assert issubclass(ContentTooLargeError, JinaComponentsError)


@pytest.mark.parametrize("source", [3, None, ["a"], bytearray(b"x")])
def test_sources_of_other_types_are_refused(reader: Reader, source: object) -> None:
    with pytest.raises(InputError, match="must be str, a path or bytes"):
        reader.read(source)  # type: ignore[arg-type]


def test_read_all_gives_pages_in_order_and_failures(reader: Reader, folder: Path, site) -> None:
    url = site.add("/x", b"from the web", "text/plain")
    reading = reader.read_all([url, folder, str(folder / "missing.md"), "file:///x"])
    names = [page.url if page.url == url else os.path.relpath(page.url, folder) for page in reading.pages]
    assert names == [url, "a.html", "b.pdf", "sub/c.md"]
    assert [(Path(failure.source).name, type(failure.error)) for failure in reading.failures] == [
        ("d.txt", ExtractionError),
        ("e.txt", ReadError),
        ("f.txt", ReadError),
        ("missing.md", ReadError),
        ("x", InputError),
    ]


def test_read_all_of_nothing(reader: Reader, tmp_path: Path) -> None:
    assert reader.read_all([]) == reader.read_all(())
    assert reader.read_all([]).pages == ()
    (failure,) = reader.read_all([tmp_path]).failures
    assert failure.source == str(tmp_path)


def test_read_all_takes_a_list(reader: Reader) -> None:
    with pytest.raises(InputError, match="must be a list"):
        reader.read_all("a.md")
    with pytest.raises(InputError, match=r"sources\[1\] must be str or a path") as caught:
        reader.read_all(["a.md", b"text"])  # type: ignore[list-item]
    assert caught.value.index == 1


def test_the_order_does_not_depend_on_concurrency(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(30)]
    for number, path in enumerate(paths):
        path.write_text("word " * (2000 if number % 3 == 0 else 1) + str(number))
    readings = [Reader(concurrency=count).read_all(paths) for count in (1, 4, 50)]
    assert readings[0] == readings[1] == readings[2]
    assert [page.url for page in readings[0].pages] == [str(path) for path in paths]


def test_progress_is_shown_when_asked(reader: Reader, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader.read_all([folder / "a.html"])
    assert capsys.readouterr().err == ""
    reader.read_all([folder / "a.html"], show_progress=True)
    assert "1/1" in capsys.readouterr().err


async def test_async_twins_give_the_same(reader: Reader, folder: Path, site) -> None:
    url = site.add("/x", PAGE.encode(), "text/html")
    for source in (url, folder / "a.html", folder / "b.pdf", PAGE.encode()):
        assert await reader.aread(source, base_url="http://h/") == reader.read(source, base_url="http://h/")
    sources = [folder, url]
    there, here = reader.read_all(sources), await reader.aread_all(sources)
    assert here.pages == there.pages
    assert [(f.source, str(f.error)) for f in here.failures] == [(f.source, str(f.error)) for f in there.failures]
    for source in (site.url + "/missing", folder / "sub" / "d.txt"):
        with pytest.raises(JinaComponentsError) as sync_error:
            reader.read(source)
        with pytest.raises(JinaComponentsError) as async_error:
            await reader.aread(source)
        assert str(sync_error.value) == str(async_error.value)


async def test_the_event_loop_goes_on_during_extraction(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, steps = asyncio.get_running_loop(), []

    def waiting(step: str, work: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object) -> object:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(60)  # which on the loop itself never ends
            steps.append(step)
            return work(*args)

        return run

    for step in ("_recognized", "open_html"):
        monkeypatch.setattr(pages, step, waiting(step, getattr(pages, step)))
    assert (await reader.aread(PAGE.encode())).title == "The Ledgers"
    assert steps == ["_recognized", "open_html"]


def test_threads_share_a_reader(reader: Reader, folder: Path) -> None:
    pages: list[Page] = []
    threads = [threading.Thread(target=lambda: pages.append(reader.read(folder / "a.html"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pages) == 6
    assert all(page == pages[0] for page in pages)


def test_pickles_as_its_settings(fetcher: Fetcher, site) -> None:
    reader = Reader(fetcher=fetcher, max_file_bytes=10, concurrency=2)
    reader.read(site.add("/x", b"text", "text/plain"))
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.read(site.url + "/x") == reader.read(site.url + "/x")
    with pytest.raises(ReadError, match="10 bytes"):
        copy.read(__file__)


def test_closes_and_opens_again(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("text")
    with Reader() as reader:
        reader._loader._web()
    assert reader.read(tmp_path / "x.txt").content == "text"


@pytest.mark.parametrize("limits", [{"max_file_bytes": 0}, {"concurrency": 0}])
def test_limits_must_be_positive(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        Reader(**limits)


TYPES = [
    "",
    "text/html",
    "text/plain; charset=utf-16",
    "application/pdf",
    "text/html; charset=shift_jis",
    "nonsense",
]
pieces = st.sampled_from(
    [b"<p>", b"</p>", b"<a href='http://[", b"<table><tr><td>", b"<!--", b"<![CDATA[", b"<?xml", b"&#0;",
     b"&#xD800;", b"<title>", b"<pre>", b"<base href='x:'>", b"%PDF-1.4\n", b"1 0 obj", b"# ", b"[x](",
     b"---\na: b\n---\n", b"\0", b"\xff\xfe", b"\xf3\xb0\x80\x80", b"\x80\x81", b" words of text. ",
     b"<script type='application/ld+json'>{", b"<meta charset=utf-7>", b"<svg><math>", b"<q>", b"<time>",
     b"<frameset><frame>"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.binary(max_size=400), st.lists(pieces, max_size=12).map(b"".join)),
    st.sampled_from(TYPES),
)
def test_any_bytes_give_a_page_or_an_error_of_ours(data: bytes, content_type: str) -> None:
    try:
        page = Reader().read(data, content_type=content_type, base_url="http://h.example/a")
    except JinaComponentsError:
        return
    assert page.content.strip()
    assert "\0" not in page.content
    page.content.encode()
    assert all(url.lower().startswith(("http://", "https://")) for _, url in page.links + page.images)


class BrokenFetcher(Fetcher):
    async def fetch(self, url: str, **_: object) -> Fetched:
        raise LookupError(f"no route for {url}")


def test_an_unexpected_error_of_one_source_keeps_no_other_from_being_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr("jina_components.reader.pages.READERS", {**READERS, "json": fail})
    (tmp_path / "x.json").write_bytes(b"[1]")
    (tmp_path / "x.md").write_bytes(b"hello")
    reader = Reader(fetcher=BrokenFetcher())
    reading = reader.read_all([f"{tmp_path}/x.json", "http://h.example/", f"{tmp_path}/x.md"])
    assert [page.content for page in reading.pages] == ["hello"]
    assert [type(failure.error) for failure in reading.failures] == [BackendError, ExtractionError]
    assert [type(failure.error.__cause__) for failure in reading.failures] == [MemoryError, LookupError]
    assert "x.json cannot be read: MemoryError: too large" in str(reading.failures[0].error)
    with pytest.raises(BackendError, match="MemoryError"):
        reader.read(f"{tmp_path}/x.json")


def test_a_file_name_that_is_not_utf8_gives_a_title_that_is_unicode(reader: Reader, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_bytes(b"hello\n")
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    (page,) = reader.read_all([tmp_path]).pages
    assert page.title == "caf\ufffd.txt"
    assert reader.read(page.url).content == page.content


def test_read_many_gives_what_is_done_first_and_the_place_of_its_source(site, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    url = site.add("/x", b"from the web", "text/plain")
    reader = Reader(fetcher=Fetcher(guard=URLGuard(allow_networks=("127.0.0.0/8",))))
    outcomes = list(reader.read_many(iter([folder, f"{tmp_path}/gone.txt", url])))
    assert sorted((index, getattr(result, "content", "failed")) for index, result in outcomes) == [
        (0, "a.txt"), (0, "b.txt"), (1, "failed"), (2, "from the web"),
    ]  # fmt: skip


def test_read_many_asks_for_sources_as_pages_are_taken(tmp_path: Path) -> None:
    asked = 0

    def sources():
        nonlocal asked
        for number in range(1000):
            asked += 1
            path = tmp_path / f"{number}.txt"
            path.write_text(str(number))
            yield path

    pages = Reader(concurrency=3).read_many(sources())
    for _ in range(10):
        next(pages)
    assert asked <= 13
    pages.close()


def test_read_many_refuses_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pass \['https://h.example'\]"):
        next(Reader().read_many("https://h.example"))
    with pytest.raises(InputError, match=r"sources\[1\] must be str or a path") as caught:
        list(Reader().read_many([tmp_path / "gone", 3]))  # type: ignore[list-item]
    assert caught.value.index == 1


async def test_read_many_is_cancelled_with_what_is_under_way(server) -> None:
    async def never(_, writer) -> None:
        await asyncio.sleep(60)

    server.routes["/slow"] = never
    async with loopback_fetcher() as fetcher:
        reader = Reader(fetcher=fetcher)
        task = asyncio.ensure_future(anext(reader.aread_many([server.url("/slow")] * 3)))
        while len(server.received) < 3:  # noqa: ASYNC110 (the server is in another thread)
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.slow
def test_five_hundred_pages_a_hundred_at_a_time(server) -> None:
    """None is lost, and memory holds those in flight alone."""
    words = " ".join(f"word{number}" for number in range(600))
    for number in range(500):
        body = f"<title>{number}</title><article><p>{words}</p></article>".encode()
        server.routes[f"/{number}"] = [http(200, body, content_type="text/html")]
    urls = [server.url(f"/{number}") for number in range(500)]
    fetcher = loopback_fetcher(politeness=Politeness(per_host=100))
    reader = Reader(fetcher=fetcher, concurrency=100)
    titles: list[int] = []
    memory: list[int] = []
    for index, page in reader.read_many(urls):
        assert isinstance(page, Page), page
        assert page.title == str(index)
        titles.append(index)
        if len(titles) % 50 == 0:
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
    run_sync(fetcher.aclose())
    assert sorted(titles) == list(range(500))
    assert max(memory[3:]) - memory[2] < 50_000_000


def test_the_fragment_of_a_url_names_the_page_of_a_pdf(reader: Reader, site) -> None:
    url = site.add("/book.pdf", pdf([["The first page."], ["The second page."]]), "application/pdf")
    assert "first" in reader.read(url).content
    for fragment in ("#page=2", "#2"):
        page = reader.read(url + fragment)
        assert page.content == "The second page."
        assert page.metadata["num_pages"] == 2


@pytest.mark.parametrize("base_url", ["http://[x", "http://", "h.example", "file:///etc", "http://h:port/"])
def test_a_base_that_is_no_url_is_refused(reader: Reader, base_url: str) -> None:
    with pytest.raises(InputError, match="base_url must be an http"):
        reader.read(b"<p>x", base_url=base_url)


def test_options_of_another_type_are_refused(reader: Reader) -> None:
    with pytest.raises(InputError, match="options must be ReadOptions, got dict"):
        reader.read(b"<p>x", options={"links": "text"})  # type: ignore[arg-type]


def test_a_reader_shows_its_settings() -> None:
    assert repr(Reader(concurrency=3)) == "Reader(concurrency=3)"


def test_a_local_page_that_scripts_would_build_says_so(reader: Reader, tmp_path: Path) -> None:
    shell = b"<div id=root><p>Loading</p></div><script src=/static/js/main.js></script>"
    (tmp_path / "shell.html").write_bytes(shell)
    for source in (shell, tmp_path / "shell.html"):
        assert "engine='browser'" in reader.read(source).warnings[0]
