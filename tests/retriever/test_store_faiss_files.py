"""The files of a store: whole after whatever happens, and mended where they are not."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from store_samples import ALL, filled, found, ids, nearest, numbered, unit_vectors, with_checkpoint

from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.store import FaissStore

HERE = Path(__file__).parent


@pytest.fixture
def directory(tmp_path):
    return with_checkpoint(tmp_path / "index")


def test_a_checkpoint_is_opened_and_followed_up(directory, caplog):
    with FaissStore(directory) as store:
        assert ids(store) == ALL
        assert found(store, "number35") == ["d35"]
        assert found(store, "number3") == []
        assert nearest(store, unit_vectors(40)[5]) == ["d5"]
        assert not store.verify().problems
    assert not caplog.text
    shutil.rmtree(next(directory.glob("checkpoint-*")))
    with FaissStore(directory) as store:
        assert ids(store) == ALL
        assert found(store, "number35") == ["d35"]
        assert "indexing again" in caplog.text


def damage_manifest(directory):
    (directory / "manifest.json").write_text("{")


def damage_checkpoint_missing(directory):
    shutil.rmtree(next(directory.glob("checkpoint-*")))


def damage_checkpoint_size(directory):
    (next(directory.glob("checkpoint-*")) / "rows.npy").write_bytes(b"short")


def damage_checkpoint_bit(directory):
    turn_last_bit(next(directory.glob("checkpoint-*")) / "alive.npy")


def damage_vector_bit(directory):
    turn_last_bit(next(directory.glob("vectors-*")))


def damage_vectors_short(directory):
    path = next(directory.glob("vectors-*"))
    os.truncate(path, path.stat().st_size - 40)


def damage_vectors_missing(directory):
    next(directory.glob("vectors-*")).unlink()


def damage_text(directory):
    path = directory / "documents.sqlite3"
    content = path.read_bytes()
    assert content.count(b"number20 ") == 1
    path.write_bytes(content.replace(b"number20 ", b"nomber20 "))


def damage_text_form(directory):
    path = directory / "documents.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"number20 ", b"\xff\xfe\x00{}\xc0\xff\xff\x80"))


def damage_metadata(directory):
    path = directory / "documents.sqlite3"
    path.write_bytes(path.read_bytes().replace(b'"n":20}', b'"n":20]'))


def turn_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (damage_manifest, []),
        (damage_checkpoint_missing, []),
        (damage_checkpoint_size, []),
        (damage_checkpoint_bit, []),
        (damage_text, ["d20"]),
        (damage_text_form, ["d20"]),
        (damage_metadata, ["d20"]),
    ],
)
def test_damage_is_found_and_mended(directory, damage, lost):
    damage(directory)
    with FaissStore(directory) as store:
        assert store.verify().problems
        report = store.repair()
        assert report.problems
        assert list(report.lost) == lost
        assert not store.verify().problems
        assert not store.verify().leftovers
        left = [name for name in ALL if name not in lost]
        assert ids(store) == left
        for name in left[::7]:
            assert nearest(store, unit_vectors(40)[int(name[1:])]) == [name]
            assert found(store, f"number{name[1:]}") == [name]
        store.put(numbered(40), unit_vectors(40))
        assert store.count() == 40
        assert not store.verify().problems


@pytest.mark.parametrize(
    ("damage", "lost"),
    [(damage_vector_bit, ["d39"]), (damage_vectors_short, ["d38", "d39"]), (damage_vectors_missing, ALL)],
)
def test_a_document_outlives_its_vector(directory, damage, lost, tmp_path):
    damage(directory)
    vectors = unit_vectors(40)
    with FaissStore(directory) as store:
        report = store.repair()
        assert list(report.lost_vectors) == lost
        assert report.lost == ()
        assert ids(store) == ALL
        assert found(store, "number39") == ["d39"]
        assert not store.get_vectors(store.keys_of(lost)).any()
        for name in set(ALL[::7]) - {*lost}:
            assert nearest(store, vectors[int(name[1:])]) == [name]
        store.compact()
        store.save_to(tmp_path / "copy")
    with FaissStore(tmp_path / "copy") as copy:
        assert f"vectors of {len(lost)} documents" in copy.verify().problems[0]
    with FaissStore(directory) as store:
        assert f"vectors of {len(lost)} documents" in store.verify().problems[0]
        assert list(store.repair().lost_vectors) == lost
        store.put(numbered(40), vectors)
        assert not store.verify().problems
        assert nearest(store, vectors[39]) == ["d39"]


@pytest.mark.parametrize("place", [b"the embedder", b"embedderthe embedder"])
def test_a_damaged_note_is_found_and_dropped(tmp_path, place):
    path = tmp_path / "index" / "documents.sqlite3"
    with FaissStore(tmp_path / "index") as store:
        store.put(numbered(3), unit_vectors(3))
        store.set_note("embedder", "the embedder")
        store.set_note("other", "whole")
        store.compact()
    content = bytearray(path.read_bytes())
    content[content.rindex(place)] ^= 1
    path.write_bytes(content)
    with FaissStore(tmp_path / "index") as store:
        assert "note" in " ".join(store.verify().problems)
        report = store.repair()
        assert len(report.lost_notes) == 1
        assert report.lost == ()
        assert store.get_note("embedder") is None
        assert store.get_note("other") == "whole"
        assert not store.verify().problems


def test_a_damaged_note_is_not_given(directory):
    with FaissStore(directory) as store:
        store.set_note("embedder", "the embedder")
        store.compact()
    path = directory / "documents.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"the embedder", b"the embeddex"))
    with FaissStore(directory) as store, pytest.raises(IndexFilesError, match=r"note 'embedder' is damaged.*repair"):
        store.get_note("embedder")


def test_what_sqlite_can_still_read_is_salvaged(tmp_path):
    """Pages in the middle of the database are lost, and documents with them."""
    vectors = unit_vectors(2000)
    with FaissStore(tmp_path / "index") as store:
        store.put(numbered(2000), vectors)
        store.set_note("a", "b")
        store.compact()
    path = tmp_path / "index" / "documents.sqlite3"
    content = bytearray(path.read_bytes())
    place = content.index(b"number1000 ") // 4096 * 4096
    content[place : place + 2 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(content)
    with FaissStore(tmp_path / "index") as store:
        assert store.verify().problems
        assert store.repair().lost_vectors == ()
        assert not store.verify().problems
        left = ids(store)
        assert 1700 < len(left) < 2000
        assert store.get_note("a") == "b"
        for name in left[::97]:
            assert nearest(store, vectors[int(name[1:])]) == [name]
            assert found(store, f"number{name[1:]}") == [name]


def test_a_lost_head_is_made_again(tmp_path):
    tokens = [unit_vectors(n % 3, seed=n) for n in range(40)]
    with FaissStore(tmp_path / "index") as store:
        store.put(numbered(40), unit_vectors(40), tokens)
        store.compact()
    path = tmp_path / "index" / "documents.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        [[page]] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'head'")
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    path.write_bytes(content)
    with FaissStore(tmp_path / "index") as store:
        with pytest.raises(IndexFilesError, match="repair"):
            store.count()
        report = store.repair()
        assert report.problems
        assert not report.lost
        assert not report.lost_token_vectors
        assert not store.verify().problems
        assert nearest(store, unit_vectors(40)[7]) == ["d7"]
        [[(key, _)]] = store.search_multi_vector(tokens[8:9], 1)
        assert store.get([key])[0].id == "d8"


@pytest.mark.parametrize("damage", [damage_text_form, damage_metadata])
def test_a_document_that_cannot_be_read_is_no_raw_error(directory, damage):
    damage(directory)
    with FaissStore(directory) as store, pytest.raises(IndexFilesError, match="damaged: repair"):
        ids(store)


@pytest.mark.parametrize("content", [b"", b"x" * 10_000])
def test_a_database_beyond_repair_is_named(directory, content):
    (directory / "documents.sqlite3").write_bytes(content)
    with FaissStore(directory) as store:
        with pytest.raises(IndexFilesError, match="index"):
            store.count()
        assert store.verify().problems
        with pytest.raises(IndexFilesError, match="index"):
            store.repair()


@pytest.mark.parametrize("method", ["count", "verify", "repair"])
def test_a_lost_database_is_not_taken_for_a_new_index(directory, method):
    (directory / "documents.sqlite3").unlink()
    with FaissStore(directory) as store, pytest.raises(IndexFilesError, match=r"documents\.sqlite3 is gone"):
        getattr(store, method)()


@pytest.mark.parametrize("files", [{}, {"thesis.txt": "years of work"}, {"manifest.json": '{"name": "an app"}'}])
@pytest.mark.parametrize("method", ["verify", "repair"])
def test_what_is_no_index_is_not_called_damaged(tmp_path, files, method):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with FaissStore(tmp_path) as store, pytest.raises(IndexFilesError, match="holds no index|no manifest of an index"):
        getattr(store, method)()
    assert {path.name for path in tmp_path.iterdir()} == {*files}


@pytest.mark.parametrize(("version", "remedy"), [(1, "build the index again"), (99, "upgrade"), (None, "build")])
def test_other_format_versions_are_named(directory, version, remedy):
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps({**manifest, "version": version}))
    with FaissStore(directory) as store, pytest.raises(IndexFilesError, match=f"version {version}.*{remedy}"):
        store.count()


def test_a_checkpoint_elsewhere_is_refused(directory):
    name = next(directory.glob("checkpoint-*")).name
    connection = sqlite3.connect(directory / "documents.sqlite3")
    connection.execute("UPDATE head SET checkpoint = ?", (f"../{directory.name}/{name}",))
    connection.commit()
    connection.close()
    with FaissStore(directory) as store:
        with pytest.raises(IndexFilesError, match="damaged"):
            store.count()
        assert store.repair().problems
        assert ids(store) == ALL


def test_a_folder_of_something_else_is_neither_opened_nor_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with FaissStore(tmp_path) as store, pytest.raises(IndexFilesError, match="not empty"):
        store.count()
    with FaissStore(tmp_path, must_exist=True) as store, pytest.raises(IndexFilesError, match="no index"):
        store.count()
    with filled() as store, pytest.raises(IndexFilesError, match="not empty"):
        store.save_to(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", ["checkpoint-photos", "vectors-1.f32", "documents.sqlite3"])
def test_a_users_files_of_like_names_are_left_alone(tmp_path, name):
    if name.endswith("3"):
        connection = sqlite3.connect(tmp_path / name)
        connection.execute("CREATE TABLE mine (a)")
        connection.commit()
        connection.close()
    else:
        (tmp_path / name).write_text("mine")
    before = (tmp_path / name).read_bytes()
    with FaissStore(tmp_path) as store, pytest.raises(IndexFilesError, match="choose"):
        store.count()
    with filled() as store, pytest.raises(IndexFilesError, match="choose"):
        store.save_to(tmp_path)
    assert (tmp_path / name).read_bytes() == before


def test_a_directory_must_exist_where_that_is_asked(tmp_path):
    with FaissStore(tmp_path / "none", must_exist=True) as store, pytest.raises(IndexFilesError, match="no index"):
        store.count()
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with FaissStore(tmp_path / "file") as store, pytest.raises(IndexFilesError):
        store.count()


def test_a_copy_takes_the_place_of_what_was_there(tmp_path, directory):
    with filled(tmp_path / "copy", 5) as reader, FaissStore(directory) as store:
        old = reader.search_lexical(["number2"], 1)[0][0][0]
        store.set_note("a", "b")
        store.save_to(tmp_path / "copy")
        assert ids(reader) == ALL
        assert reader.get([old]) == [None]
        assert found(reader, "number35") == ["d35"]
        assert nearest(reader, unit_vectors(40)[35]) == ["d35"]
        assert reader.get_note("a") == "b"
        assert reader.verify() == type(reader.verify())()
        store.save_to(directory)
        store.save_to(tmp_path / "other")
        assert ids(store) == ALL
    assert b"number3 " not in (tmp_path / "other" / "documents.sqlite3").read_bytes()


def test_what_a_killed_process_left_is_removed(directory):
    (directory / "vectors-77.f32").write_bytes(b"x")
    (directory / "tokens-77.i8").write_bytes(b"x")
    (directory / "checkpoint-9-0123456789ab").mkdir()
    (directory / "checkpoint-9-0123456789ab.unfinished-0123456789ab").mkdir()
    with FaissStore(directory) as store:
        assert len(store.verify().leftovers) == 4
        assert not store.verify().problems
        store.compact()
        assert not store.verify().leftovers
        assert ids(store) == ALL


def paths():
    return os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])


def test_a_directory_that_cannot_be_written_can_be_read(directory):
    script = """
import os, sys
from store_samples import filled, found, ids, nearest, numbered, unit_vectors
from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.store import FaissStore

with filled(None) as store:  # what Python loads on the way, the other user may not be able to read
    assert found(store, "number3") == nearest(store, unit_vectors(20)[3]) == ["d3"]
    assert not store.verify().problems
if os.geteuid() == 0:
    os.setuid(65534)
with FaissStore(sys.argv[1]) as store:
    assert len(ids(store)) == 39
    assert found(store, "number35") == ["d35"]
    assert nearest(store, unit_vectors(40)[35]) == ["d35"]
    assert not store.verify().problems
    for change in (lambda: store.put(numbered(1), unit_vectors(1)), store.compact, lambda: store.delete(["d1"])):
        try:
            change()
        except IndexFilesError as error:
            assert "cannot be written" in str(error), error
        else:
            raise AssertionError
print("done")
"""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    directory = Path(shutil.move(directory, home))
    for path in [*directory.rglob("*"), directory]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(directory)],
            capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": paths()},
        )  # fmt: skip
    finally:
        names = sorted(path.name for path in directory.glob("documents*"))
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(home)
    assert done.stdout == "done\n", done.stderr
    assert names == ["documents.sqlite3"]
