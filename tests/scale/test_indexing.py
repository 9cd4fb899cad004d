import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_server import http, loopback_fetcher
from scale_samples import DyingEmbedder, LoggingEmbedder, LoggingReader, WordVectors, held, write_documents

from jina_components import Embedder, Reader, Retriever, Segmenter
from jina_components.core.background import run_sync
from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError, ReadError
from jina_components.protocols import Store
from jina_components.read_options import QUOTABLE
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.scale import index_sources, remove_sources
from jina_components.testing import FakeEmbedder
from jina_components.testing.memory_store import MemoryStore


@pytest.fixture
def docs(tmp_path):
    write_documents(tmp_path / "docs", count=12)
    return tmp_path / "docs"


def index(docs, store, **how):
    return index_sources([docs], store, **{"embedder": FakeEmbedder(), "batch_size": 3} | how)


def test_it_does_what_reading_cutting_and_adding_do(docs):
    store = MemoryStore()
    report = index(docs, store)
    plain = Retriever(FakeEmbedder(), store=MemoryStore())
    reading = Reader(options=QUOTABLE).read_all([str(docs)])
    plain.add([chunk for page in reading.pages for chunk in Segmenter().segment_page(page)])
    assert held(store) == held(plain.store)
    assert (report.sources, report.complete, report.removed, report.failures) == (12, 0, 0, ())
    assert report.chunks == len(plain) > 24


def test_a_retriever_finds_and_knows_what_was_indexed(docs, bundled_embedder):
    store = MemoryStore()
    report = index(docs, store, embedder=bundled_embedder)
    assert report.tokens > report.chunks
    assert (
        Retriever(bundled_embedder, store=store)
        .retrieve("text 2 of 7", mode="lexical")[0]
        .document.metadata["source"]
        .endswith("007.md")
    )
    with pytest.raises(IndexMismatchError):
        index(docs, store, embedder=FakeEmbedder())


def test_a_store_of_words_alone(docs):
    store = MemoryStore()
    assert index(docs, store, embedder=None).chunks == store.count()


def test_processes_give_the_same_and_a_killed_one_is_replaced(docs, tmp_path):
    plain, pooled, killed = MemoryStore(), MemoryStore(), MemoryStore()
    index(docs, plain)
    index(docs, pooled, workers=2)
    index(docs, killed, workers=2, embedder=DyingEmbedder("text 1 of 8", tmp_path / "mark"))
    assert (tmp_path / "mark").exists()
    assert held(plain) == held(pooled) == held(killed)


def test_a_source_that_kills_every_worker_fails_alone(docs):
    store = MemoryStore()
    report = index(docs, store, workers=2, embedder=DyingEmbedder("text 1 of 8"))
    [failure] = report.failures
    assert failure.source == str(docs / "008.md")
    assert "3 workers died at it" in str(failure.error)
    assert (report.sources, len({source for _, source, _ in held(store).values()})) == (11, 11)


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_told_and_stop_nothing(docs, tmp_path, workers):
    (docs / "empty.md").write_text(" ")
    (docs / "long.md").write_text("long " * 900)
    missing = tmp_path / "missing.md"
    embedder = RefusingEmbedder("long long")
    store = MemoryStore()
    report = index_sources([docs, missing, tmp_path / "nothing"], store, embedder=embedder, workers=workers)
    errors = {Path(failure.source).name: failure.error for failure in report.failures}
    assert {"long.md", "missing.md", "nothing"} == {*errors}
    assert report.empty == (str(docs / "empty.md"),)
    assert isinstance(errors["missing.md"], ReadError)
    assert "refused" in str(errors["long.md"])
    assert report.sources == 12


class RefusingEmbedder(DyingEmbedder):
    """Refuses texts with its word."""

    def embed_documents(self, texts):
        for index, text in enumerate(texts):
            if self.word in text:
                raise InputError(f"texts[{index}] is refused.", index)
        return FakeEmbedder().embed_documents(texts)


def test_a_source_read_again_replaces_what_was_there(docs):
    store = MemoryStore()
    first = index(docs, store)
    path = docs / "004.md"
    path.write_text(path.read_text().replace("text 1 of 4", "TEXT 1 of 4"))
    again = index(docs, store)
    assert (first.removed, again.chunks, again.removed) == (0, 1, 1)
    fresh = MemoryStore()
    index(docs, fresh)
    assert held(store) == held(fresh)


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_that_are_there_are_not_embedded_again(docs, tmp_path, workers):
    store, embedder = MemoryStore(), LoggingEmbedder(tmp_path / "log")
    first = index(docs, store, embedder=embedder)
    assert embedder.taken() == first.chunks + 1  # and the probe
    (docs / "new.md").write_text("# New\n\nAll of it.")
    again = index(docs, store, embedder=embedder, workers=workers)
    assert (again.sources, again.chunks, embedder.taken()) == (13, 1, 1 + 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_token_vectors(docs, workers):
    store, plain = MemoryStore(), MemoryStore()
    index(docs, store, multi_vector=WordVectors(), workers=workers)
    retriever = Retriever(FakeEmbedder(), store=plain, multi_vector=WordVectors())
    reading = Reader(options=QUOTABLE).read_all([str(docs)])
    retriever.add([chunk for page in reading.pages for chunk in Segmenter().segment_page(page)])
    query = WordVectors().embed_multi_vector(["text 2 of 7"]).vectors
    found = [
        [(document.text, score) for document, (_, score) in zip(each.get([key for key, _ in hits]), hits, strict=True)]
        for each in (store, plain)
        for hits in each.search_multi_vector(query, 5)
    ]
    assert found[0] == found[1]
    assert "text 2 of 7" in found[0][0][0]
    with pytest.raises(IndexMismatchError):
        index(docs, store)


def test_a_store_is_claimed_by_what_is_put_there(docs, tmp_path):
    store = MemoryStore()
    index_sources([tmp_path / "nothing"], store, embedder=FakeEmbedder(dimensions=7))
    index(docs, store)
    with pytest.raises(IndexMismatchError):
        index_sources([tmp_path / "nothing"], store, embedder=FakeEmbedder(dimensions=7))


def test_pruning_deletes_what_is_gone_or_holds_no_document_any_more(docs, tmp_path):
    store = MemoryStore()
    (tmp_path / "other.md").write_text("# Other\n\nNot in the folder.")
    index_sources([docs, tmp_path / "other.md"], store, embedder=FakeEmbedder())
    (docs / "001.md").unlink()
    (docs / "002.md").write_text("")
    (docs / "003.md").write_text("# Refused\n\nThis is refused.")
    (tmp_path / "other.md").unlink()
    kept = index(docs, store, embedder=RefusingEmbedder("refused"))
    assert (kept.gone, store.count()) == (0, 37)
    report = index(docs, store, embedder=RefusingEmbedder("refused"), prune=True)
    names = {Path(source).name for _, source, _ in held(store).values()}
    assert (report.gone, names) == (2, {f"{n:03}.md" for n in range(12)} - {"001.md", "002.md"} | {"other.md"})
    assert [Path(failure.source).name for failure in report.failures] == ["003.md"]
    assert report.empty == (str(docs / "002.md"),)


def test_an_empty_folder_is_a_disk_that_is_not_there_and_a_folder_that_is_gone_is_gone(docs, tmp_path):
    store = MemoryStore()
    index(docs, store)
    docs.rename(tmp_path / "away")
    docs.mkdir()
    assert index(docs, store, prune=True).gone == 0
    docs.rmdir()
    assert index(docs, store, prune=True).gone == 12
    assert store.count() == 0


def test_a_file_that_comes_back_as_it_was_is_read_again(docs, tmp_path):
    store, how = MemoryStore(), {"checkpoint": tmp_path / "checkpoint", "prune": True}
    index(docs, store, **how)
    before = held(store)
    (docs / "004.md").rename(tmp_path / "004.md")
    assert index(docs, store, **how).gone == 1
    (tmp_path / "004.md").rename(docs / "004.md")  # of the same size and time
    report = index(docs, store, **how)
    assert (report.sources, report.complete, report.gone) == (1, 11, 0)
    assert held(store) == before


def test_links_within_a_folder_keep_their_names_and_those_given_are_followed(docs, tmp_path):
    (tmp_path / "link").symlink_to(docs)
    (docs / "again.md").symlink_to(docs / "000.md")
    store = MemoryStore()
    index_sources([tmp_path / "link"], store, embedder=FakeEmbedder())
    sources = {source for _, source, _ in held(store).values()}
    assert sources == {str(path) for path in docs.resolve().iterdir()}


def test_a_checkpoint_without_a_complete_source_may_be_begun_otherwise(docs, tmp_path):
    folder = tmp_path / "checkpoint"
    with pytest.raises(IndexFilesError, match="no room"):
        index(docs, FullStore(MemoryStore(), room=0), checkpoint=folder)
    store = MemoryStore()
    assert index(docs, store, checkpoint=folder, segmenter=Segmenter(max_chunk_length=100)).sources == 12
    assert index(docs, store, checkpoint=folder, segmenter=Segmenter(max_chunk_length=100)).complete == 12


def test_a_checkpoint_that_cannot_be_written(docs, tmp_path):
    (tmp_path / "file").write_text("Dear")
    with pytest.raises(IndexFilesError, match="file cannot be written"):
        index(docs, MemoryStore(), checkpoint=tmp_path / "file")


def test_a_checkpoint_tells_what_is_left(docs, tmp_path):
    reader, store, folder = LoggingReader(tmp_path / "log"), MemoryStore(), tmp_path / "checkpoint"
    how = {"reader": reader, "checkpoint": folder, "batch_size": 1, "commit_size": 10}
    with pytest.raises(IndexFilesError, match="no room"):
        index(docs, FullStore(store, room=1), **how)
    assert [Path(name).name for name in reader.taken()] == [f"{number:03}.md" for number in range(8)]
    report = index(docs, store, **how)
    assert (report.sources, report.complete) == (8, 4)
    assert [Path(name).name for name in reader.taken()] == [f"{number:03}.md" for number in range(4, 12)]
    report = index(docs, store, **how)
    assert (report.sources, report.complete, reader.taken()) == (0, 12, [])
    (docs / "003.md").write_text("# Changed\n\nAll of it.")
    (docs / "new.md").write_text("# New\n\nAll of it.")
    report = index(docs, store, **how)
    assert [Path(name).name for name in reader.taken()] == ["003.md", "new.md"]
    assert (report.sources, report.complete) == (2, 11)
    fresh = MemoryStore()
    index(docs, fresh)
    assert held(store) == held(fresh)


class FullStore:
    """A store that takes so many puts, and then fails."""

    def __init__(self, store: Store, room: int) -> None:
        self._store, self._room = store, room

    def put(self, documents, vectors, token_vectors=None):
        if not self._room:
            raise IndexFilesError("There is no room.")
        self._room -= 1
        self._store.put(documents, vectors, token_vectors)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_urls_are_read_again_once_a_run_has_ended(server, tmp_path):
    server.routes["/page"] = [http(200, b"<title>Sea</title><p>The sea is calm today, and so it stays.</p>")]
    fetcher, url = loopback_fetcher(), server.url("/page")
    reader = Reader(fetcher=fetcher, options=QUOTABLE)
    store = MemoryStore()
    for _ in range(2):
        report = index_sources([url], store, reader=reader, embedder=FakeEmbedder(), checkpoint=tmp_path / "checkpoint")
        assert (report.sources, report.complete, report.failures) == (1, 0, ())
    reader.close()
    run_sync(fetcher.aclose())


@pytest.mark.parametrize("loss", ["repair", "remove"])
def test_a_checkpoint_notices_what_the_store_has_lost(docs, tmp_path, loss):
    folder, embedder = tmp_path / "checkpoint", LoggingEmbedder(tmp_path / "log")
    with FaissStore(tmp_path / "index") as store:
        first = index(docs, store, checkpoint=folder, embedder=embedder)
        store.compact()
        whole = held(store)
    if loss == "repair":
        path = tmp_path / "index" / "documents.sqlite3"
        content = bytearray(path.read_bytes())
        content[content.rindex(b"text 1 of 8")] ^= 1
        path.write_bytes(content)
    with FaissStore(tmp_path / "index") as store:
        if loss == "repair":
            assert len(store.repair().lost) == 1
        else:
            assert remove_sources([docs / "008.md"], store) == {str(docs / "008.md"): 1}
        missing = first.chunks - store.count()
        embedder.taken()
        again = index(docs, store, checkpoint=folder, embedder=embedder)
        assert (again.complete, again.chunks) == (0, missing)
        assert held(store) == whole
        assert embedder.taken() <= missing + 2  # and the probes
        assert index(docs, store, checkpoint=folder, embedder=embedder).complete == 12


def test_a_checkpoint_belongs_to_its_settings_and_its_store(docs, tmp_path):
    store, folder = MemoryStore(), tmp_path / "checkpoint"
    index(docs, store, checkpoint=folder)
    with pytest.raises(ConfigError, match="begun with segmenter"):
        index(docs, store, checkpoint=folder, segmenter=Segmenter(max_chunk_length=100))
    with pytest.raises(ConfigError, match="begun with embedder"):
        index(docs, MemoryStore(), checkpoint=folder, embedder=Embedder())
    with pytest.raises(ConfigError, match="checkpoint of another store"):
        index(docs, MemoryStore(), checkpoint=folder)


def test_wrong_calls(docs):
    for how, error in (
        ({"workers": 0}, InputError),
        ({"batch_size": 0}, InputError),
        ({"gpus_per_worker": 1}, ConfigError),
    ):
        with pytest.raises(error):
            index(docs, MemoryStore(), **how)


_SCRIPT = """
import sys
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.scale import index_sources
from jina_components.testing import FakeEmbedder

if __name__ == "__main__":
    folder, workers = sys.argv[1:]
    store = FaissStore(f"{folder}/index")
    index_sources(
        [f"{folder}/docs"], store, embedder=FakeEmbedder(), checkpoint=f"{folder}/checkpoint", workers=int(workers),
        batch_size=2, commit_size=8,
    )
    store.close()
"""


def lines_of(path):
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kills"), [(1, 3), (2, 2)])
def test_killed_again_and_again_the_store_is_as_without_a_kill(tmp_path, workers, kills):
    from jina_components.retriever.stores.faiss import FaissStore

    write_documents(tmp_path / "docs", count=150)
    (tmp_path / "script.py").write_text(_SCRIPT)
    journal, chosen, killed = tmp_path / "checkpoint" / "journal.jsonl", random.Random(workers), 0
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path), str(workers)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for _ in range(kills):
        process, until = subprocess.Popen(command, env=environment), lines_of(journal) + chosen.randint(0, 25)
        while process.poll() is None and lines_of(journal) <= until:
            time.sleep(chosen.random() * 0.003)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    subprocess.run(command, check=True, env=environment)
    assert killed
    plain = MemoryStore()
    index_sources([tmp_path / "docs"], plain, embedder=FakeEmbedder())
    store = FaissStore(tmp_path / "index")
    assert held(store).keys() == held(plain).keys()
    assert held(store) == held(plain)
    store.close()
