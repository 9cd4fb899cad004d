import os

import numpy as np
import pytest

from jina_components import Document
from jina_components.errors import BackendError, ExtractionError, InputError, ReadError
from jina_components.scale.sources import gone_sources, remove_sources
from jina_components.testing.memory_store import MemoryStore
from jina_components.types import SourceFailure


def gone(places, sources, *failures):
    documents = [Document(f"Text {n}.", metadata={"source": source}) for n, source in enumerate(sources)]
    store = MemoryStore()
    store.put([*documents, Document("Of no source.")], np.eye(len(sources) + 1, dtype=np.float32))
    return gone_sources(store, places, failures)


def test_files_that_are_not_there_and_were_asked_for(tmp_path):
    (tmp_path / "there.md").write_text("Here.")
    names = [str(tmp_path / name) for name in ("there.md", "gone.md", "deep/gone.md", "there.md/gone.md")]
    elsewhere, url = str(tmp_path.parent / "elsewhere.md"), "https://example.com/gone.md"
    assert gone([tmp_path, url], [*names, elsewhere, url]) == {*names[1:]}
    assert gone([names[1]], names) == {names[1]}
    assert gone([str(tmp_path / "gon")], names) == set()


def test_what_cannot_be_looked_at_is_not_gone(tmp_path):
    long = str(tmp_path / ("x" * 300))
    assert gone([tmp_path], [long]) == set()


def test_why_a_source_failed_decides(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    for name in ("emptied.md", "refused.md"):
        (tmp_path / name).write_text("")
    names = {name: str(tmp_path / name) for name in ("pipe.md", "emptied.md", "refused.md", "gone.md")}
    failures = [
        SourceFailure(names["pipe.md"], ReadError("A pipe.", names["pipe.md"])),
        SourceFailure(names["emptied.md"], ExtractionError("Empty.", names["emptied.md"])),
        SourceFailure(names["refused.md"], BackendError("No memory.")),
        SourceFailure(names["gone.md"], ReadError("Not there.", names["gone.md"])),
    ]
    assert gone([tmp_path], [*names.values()], *failures) == {names["emptied.md"], names["gone.md"]}
    unlisted = SourceFailure(str(tmp_path), ReadError("May not be listed.", str(tmp_path)))
    assert gone([tmp_path], [*names.values()], unlisted) == set()


def test_sources_are_removed_by_file_folder_and_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(tmp_path / name) for name in ("a.md", "old/b.md", "old/deep/c.md", "older.md")]
    url = "https://example.com/old"
    store = MemoryStore()
    documents = [
        Document(f"Text {n}.", metadata={"source": source}) for n, source in enumerate([*names, names[0], url])
    ]
    store.put([*documents, Document("Of no source.")], np.eye(7, dtype=np.float32))
    assert remove_sources(["a.md", tmp_path / "old", url, "none.md", "https://example.com"], store) == {
        "a.md": 1, str(tmp_path / "old"): 2, url: 1, "none.md": 0, "https://example.com": 0,
    }  # fmt: skip
    assert [document.metadata.get("source") for document in store.scan()] == [names[3], None]
    with pytest.raises(InputError, match="int"):
        remove_sources([3], store)
