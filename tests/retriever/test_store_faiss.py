"""Putting, finding and deleting; files, processes and kills have their own tests."""

import pickle
import threading

import numpy as np
import pytest
from store_samples import filled, found, ids, nearest, numbered, unit_vectors

from jina_components import Document
from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError, JinaComponentsError
from jina_components.filters import And, Field
from jina_components.protocols import Store
from jina_components.retriever.stores.faiss import maintenance
from jina_components.retriever.stores.faiss.store import FaissStore


@pytest.fixture(params=["memory", "directory"])
def place(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "index"


@pytest.fixture
def store(place):
    with filled(place) as store:
        yield store


def test_it_is_a_store(store):
    assert isinstance(store, Store)
    assert store.rankings == {"dense", "lexical"}


def test_finds_by_vector_and_by_word(store):
    vectors = unit_vectors(20)
    hits = store.search_dense(vectors[:3], 5)
    assert [len(found) for found in hits] == [5, 5, 5]
    assert [store.get([found[0][0]])[0].id for found in hits] == ["d0", "d1", "d2"]
    cosines = np.array([[score for _, score in found] for found in hits])
    assert np.allclose(cosines, -np.sort(-(vectors[:3] @ vectors.T))[:, :5], atol=1e-6)
    assert found(store, "number7 nonsense") == ["d7"]
    assert found(store, "nonsense") == []
    assert set(found(store, "word3")) == {"d3", "d10", "d17"}


def test_documents_come_back_as_they_went_in(place):
    odd = [
        Document("", "empty", {"a": {"b": [1, 2.5, None, True, "ü"]}}),
        Document("lone \ud800 surrogate, NUL \0 and \U0001f600", "odd \udfff\0", {"\ud800": "\0"}),
        Document("x" * 100_000, "long"),
    ]
    with FaissStore(place) as store:
        store.put(odd, unit_vectors(3))
        assert list(store.scan()) == odd
        assert [key is None for key in store.keys_of(["odd \udfff\0", "nobody"])] == [False, True]
        assert not store.verify().problems
        assert store.delete(["odd \udfff\0"]) == 1


def test_a_document_of_the_same_id_is_replaced(store):
    [[(key, _)]] = store.search_lexical(["number7"], 1)
    store.put([Document("other words", "d7", {"n": 7})], unit_vectors(1, seed=9))
    assert store.count() == 20
    assert ids(store) == [f"d{n}" for n in range(20) if n != 7] + ["d7"]
    assert found(store, "number7") == []
    assert found(store, "other") == ["d7"]
    assert nearest(store, unit_vectors(1, seed=9)[0]) == ["d7"]
    assert store.get([key]) == [None]
    assert not store.get_vectors([key]).any()


def test_get_keeps_the_order_of_keys(store):
    [hits] = store.search_dense(unit_vectors(1), 20)
    keys = [key for key, _ in hits]
    assert [document.id for document in store.get(keys[::-1])] == nearest(store, unit_vectors(1)[0], 20)[::-1]
    assert store.get([keys[0], 10**9, keys[0]])[1] is None
    assert np.array_equal(store.get_vectors(sorted(keys)), unit_vectors(20))
    assert store.get([]) == []
    assert store.get_vectors([]).shape == (0, 8)


def test_deletes_by_id_and_by_filter(store):
    assert store.delete(["d1", "d2", "nobody", "d1"]) == 2
    assert store.delete(filter=Field("lang") == "de") == 9
    assert store.delete(filter=Field("lang") == "de") == 0
    assert store.count() == 9
    assert [key is None for key in store.keys_of(["d1", "d4"])] == [True, False]
    assert nearest(store, unit_vectors(20)[1]) != ["d1"]
    assert len(nearest(store, unit_vectors(1)[0], 20)) == 9
    assert found(store, "number1") == []
    assert store.delete(filter=And(())) == 9
    assert store.search_dense(unit_vectors(1), 3) == [[]]
    assert store.search_lexical(["word1"], 3) == [[]]
    for arguments in ({}, {"ids": ["d1"], "filter": Field("n") == 1}, {"ids": "d1"}):
        with pytest.raises(InputError):
            store.delete(**arguments)


def test_filters_narrow_every_search(store):
    german = Field("lang") == "de"
    assert store.count(filter=german) == 10
    assert ids(store)[1::2] == [document.id for document in store.scan(filter=german)]
    everyone = nearest(store, unit_vectors(1)[0], 20)
    assert nearest(store, unit_vectors(1)[0], 3, filter=german) == [name for name in everyone if int(name[1:]) % 2][:3]
    assert set(found(store, "word3", filter=german)) == {"d3", "d17"}
    store.put(numbered(2, 100), unit_vectors(2, seed=3))
    assert store.count(filter=german) == 11
    assert nearest(store, unit_vectors(1)[0], 3, filter=Field("n") == 10**6) == []
    store.compact()
    assert store.count(filter=german & (Field("n") < 10)) == 5


def test_a_batch_is_put_whole_or_not_at_all(store):
    before = ids(store)
    wrong = [
        (numbered(2), unit_vectors(3)),
        (numbered(2), unit_vectors(2, dimensions=4)),
        (numbered(2), unit_vectors(2) * 2),
        (numbered(2), np.full((2, 8), np.nan, np.float32)),
        (numbered(2), None),
        (numbered(2), np.zeros((2, 0), np.float32)),
        (numbered(1) * 2, unit_vectors(2)),
    ]
    for documents, vectors in wrong:
        with pytest.raises(InputError):
            store.put(documents, vectors)
    with pytest.raises(InputError) as caught:
        store.put(numbered(2), unit_vectors(2) * np.array([[1], [3]], np.float32))
    assert caught.value.index == 1
    with pytest.raises(InputError, match="width 8"):
        store.search_dense(unit_vectors(1, dimensions=4), 1)
    with pytest.raises(InputError, match="no finite number"):
        store.search_dense(unit_vectors(1) * np.nan, 1)
    assert ids(store) == before
    store.put([], None)
    assert ids(store) == before


def test_words_alone_need_no_vectors(place):
    with FaissStore(place) as store:
        store.put(numbered(5), None)
        assert store.rankings == {"lexical"}
        assert found(store, "number3") == ["d3"]
        with pytest.raises(ConfigError):
            store.search_dense(unit_vectors(1), 1)
        with pytest.raises(InputError, match="vectors"):
            store.put(numbered(5), unit_vectors(5))
        store.delete(["d0"])
        store.compact()
        assert found(store, "word1") == ["d1"]
        assert not store.verify().problems


def test_an_emptied_store_takes_vectors_of_another_width(store):
    store.delete(filter=And(()))
    store.put(numbered(3), unit_vectors(3, dimensions=5))
    assert nearest(store, unit_vectors(3, dimensions=5)[2]) == ["d2"]
    store.delete(["d0", "d1", "d2"])
    store.put(numbered(3), None)
    assert found(store, "number2") == ["d2"]
    store.compact()
    assert ids(store) == ["d0", "d1", "d2"]
    assert not store.verify().problems


def test_keys_stay_through_compaction(store):
    [[(key, _)]] = store.search_lexical(["number17"], 1)
    store.delete([f"d{n}" for n in range(10)])
    store.compact()
    assert store.get([key])[0].id == "d17"
    assert np.array_equal(store.get_vectors([key])[0], unit_vectors(20)[17])
    [[(again, _)]] = store.search_dense(unit_vectors(20)[17:18], 1)
    assert again == key
    store.put(numbered(1, 50), unit_vectors(1, seed=5))
    [[(new, _)]] = store.search_lexical(["number50"], 1)
    assert new > key


def test_nothing_of_deleted_documents_stays_on_the_disk(tmp_path):
    with FaissStore(tmp_path / "index") as store:
        store.put([Document("the secret word is xylophone", "s1", {"of": "zeppelin"})], unit_vectors(1))
        store.put(numbered(50), unit_vectors(50, seed=2))
        store.compact()
        store.delete(["s1"])
        store.compact()
        for path in (tmp_path / "index").rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert b"xylophone" not in content, path
            assert b"zeppelin" not in content, path
            assert unit_vectors(1).tobytes() not in content, path


def test_many_deleted_documents_are_compacted_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "_MIN_DELETED", 10)
    with filled(tmp_path / "index", 40) as store:
        store.delete([f"d{n}" for n in range(12)])
        store._maintenance._thread.join(30)
        assert b"number11 " not in (tmp_path / "index" / "documents.sqlite3").read_bytes()
        assert ids(store) == [f"d{n}" for n in range(12, 40)]
        assert not store.verify().problems


def test_a_failure_in_the_background_is_not_lost(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(maintenance, "_MIN_DELETED", 10)
    store = filled(tmp_path / "index", 40)
    with monkeypatch.context() as patch:
        patch.setattr("os.link", None)
        patch.setattr("jina_components.retriever.stores.faiss.compaction.write_checkpoint", _full)
        store.delete([f"d{n}" for n in range(12)])
        store._maintenance._thread.join(30)
    assert "could not be compacted" in caplog.text
    assert len(ids(store)) == 28
    with pytest.raises(IndexFilesError, match="disk is full"):
        store.compact()
    store.compact()
    report = store.verify()
    assert not report.problems
    assert not report.leftovers
    store.close()


def _full(*arguments):
    raise OSError(28, "No space left on device")


def test_notes(place):
    with FaissStore(place) as store:
        assert store.get_note("embedder") is None
        store.set_note("embedder", "one")
        store.set_note("embedder", "two \ud800")
        store.put(numbered(1), unit_vectors(1))
        store.compact()
        assert store.get_note("embedder") == "two \ud800"


def test_an_empty_store_finds_nothing(place):
    with FaissStore(place) as store:
        assert store.count() == 0
        assert list(store.scan()) == []
        assert store.search_dense(unit_vectors(2), 3) == [[], []]
        assert store.search_lexical(["a"], 3) == [[]]
        assert store.delete(["a"]) == 0
        assert store.keys_of(["a"]) == [None]
        store.compact()
        assert not store.verify().problems


def test_pickles_as_its_arguments(tmp_path):
    with filled(tmp_path / "index") as store, pickle.loads(pickle.dumps(store)) as copy:
        assert ids(copy) == ids(store)
    with filled() as store, pytest.raises(InputError, match="memory"):
        pickle.dumps(store)


def test_a_closed_store_opens_again_unless_it_was_in_memory(tmp_path):
    store = filled(tmp_path / "index")
    store.close()
    assert store.count() == 20
    store.close()
    store.close()
    memory = filled()
    memory.close()
    with pytest.raises(IndexFilesError, match="directory"):
        memory.count()
    with pytest.raises(ConfigError):
        FaissStore(must_exist=True)


def test_threads_read_while_others_write(store):
    vectors = unit_vectors(400, seed=4)
    failures = []
    done = threading.Event()

    def read():
        try:
            while not done.is_set():
                count = store.count()
                [hits] = store.search_dense(vectors[:1], 500)
                assert len(hits) >= count
                [hits] = store.search_lexical(["text"], 500)
                assert len(hits) >= count
                assert all(document is not None for document in store.get([key for key, _ in hits]))
        except BaseException as error:
            failures.append(error)
            raise

    def write(first):
        for start in range(first, first + 100, 10):
            store.put(numbered(10, 1000 + start), vectors[start : start + 10])

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    store.compact()
    done.set()
    for thread in readers:
        thread.join()
    assert not failures
    assert store.count() == 320
    assert not store.verify().problems


def test_a_copy_is_made_while_filters_look_at_new_fields(place, tmp_path):
    with filled(place, 300) as store:
        store.delete(["d1"])
        done = threading.Event()

        def count(name, number=0):
            while not done.is_set():
                assert store.count(filter=Field(f"{name}{number}").exists()) == 0
                number += 1

        counting = [threading.Thread(target=count, args=(name,), daemon=True) for name in "ab"]
        copying = threading.Thread(target=lambda: [store.save_to(tmp_path / "copy") for _ in range(5)], daemon=True)
        for thread in (*counting, copying):
            thread.start()
        copying.join(60)
        assert not copying.is_alive()
        done.set()
        for thread in counting:
            thread.join()


def test_many_vectors_get_an_index_in_the_background(tmp_path):
    count = 12_000
    vectors = unit_vectors(count + 100, seed=11)
    store = FaissStore(tmp_path / "index")
    store.put(numbered(count), vectors[:count])
    store._maintenance._thread.join(60)
    dense = store._engine.state.dense
    assert len(dense) == count
    assert dense.memory_bytes
    store.put(numbered(100, count), vectors[count:])
    assert nearest(store, vectors[count + 5]) == [f"d{count + 5}"]
    assert nearest(store, vectors[7]) == ["d7"]
    store.close()
    assert len(store._engine.state.dense) == 0
    assert nearest(store, vectors[7]) == ["d7"]
    assert len(store._engine.state.dense) == count
    store.delete([f"d{n}" for n in range(3000)])
    store._maintenance._thread.join(60)
    assert len(store._engine.state.dense) == store._engine.state.num_slots == count + 100 - 3000
    assert nearest(store, vectors[7]) != ["d7"]
    for number in (3000, count + 5):
        assert nearest(store, vectors[number]) == [f"d{number}"]
        assert found(store, f"number{number}") == [f"d{number}"]
    assert not store.verify().problems
    store.close()


def test_stemming_stays_as_the_index_was_made(tmp_path):
    pytest.importorskip("Stemmer")
    with FaissStore(tmp_path / "index", stemming="english") as store:
        store.put([Document("running dogs", "d")], unit_vectors(1))
    with FaissStore(tmp_path / "index") as store:
        assert found(store, "run dog") == ["d"]
        store.save_to(tmp_path / "copy")
    with FaissStore(tmp_path / "copy", stemming="english") as store:
        assert found(store, "run dog") == ["d"]
    with FaissStore(tmp_path / "index", stemming="german") as store, pytest.raises(IndexMismatchError, match="english"):
        store.count()
    with pytest.raises(JinaComponentsError):
        FaissStore(stemming="klingon")


def test_storage_is_of_a_known_kind_and_can_be_changed(tmp_path):
    with pytest.raises(ConfigError, match="storage"):
        FaissStore(storage="float8")
    with filled(tmp_path / "index", storage="int8") as store:
        store.compact()
        store.save_to(tmp_path / "copy")
    for place in ("index", "copy"):
        with FaissStore(tmp_path / place) as store:
            assert store.count() == 20
            assert store._engine.state.dense.storage == "int8"
    with FaissStore(tmp_path / "index", storage="float32") as store:
        assert nearest(store, unit_vectors(20)[3]) == ["d3"]
        assert store._engine.state.dense.storage == "float32"
