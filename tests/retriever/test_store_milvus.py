import gc
import itertools
import pickle
import socket
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from store_filter_checks import check_random_filters

from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError, MissingDependencyError
from jina_components.retriever.stores.milvus import MilvusStore
from jina_components.testing import check_store
from jina_components.testing.assertions import in_threads
from jina_components.testing.store_samples import WIDTH, random_sample, unit_vectors
from jina_components.types import Document

grpc_handler = pytest.importorskip("pymilvus.client.grpc_handler")
pytest.importorskip("milvus_lite")
# Milvus Lite leaves a log open when it refuses to make a collection twice.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def indexes_are_made_at_once(monkeypatch):
    """As they are in Milvus Lite, whereas the client asks twice a second."""
    monkeypatch.setattr(grpc_handler, "time", SimpleNamespace(**vars(time) | {"sleep": lambda _: time.sleep(0.01)}))


@pytest.fixture
def make_store(tmp_path):
    stores = []

    def make(collection="documents", **options):
        stores.append(MilvusStore(str(tmp_path / "milvus.db"), collection=collection, **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()
    gc.collect()  # so that what Milvus Lite leaves open is met here


@pytest.mark.slow
def test_it_meets_the_contract(make_store):
    names = (f"documents{number}" for number in itertools.count())
    check_store(lambda: make_store(next(names)), reopen=lambda store: pickle.loads(pickle.dumps(store)), ordered=False)


@pytest.mark.slow
def test_filters_mean_what_they_mean_elsewhere(make_store):
    check_random_filters(make_store(), examples=25)


def test_its_files_keep_everything(make_store):
    store, sample = make_store(), random_sample(30)
    sample.put_into(store)
    store.set_note("embedder", "one")
    found = store.search_lexical(["kavo lumi"], 30), store.search_dense(sample.vectors[:1], 5)
    store.close()
    with pickle.loads(pickle.dumps(store)) as other:
        assert (other.search_lexical(["kavo lumi"], 30), other.search_dense(sample.vectors[:1], 5)) == found
        assert other.get_note("embedder") == "one"


def test_stores_of_one_file_share_it(make_store):
    first, second = make_store("one"), make_store("two")
    random_sample(3).put_into(first)
    random_sample(5).put_into(second)
    first.close()
    assert second.count() == 5
    second.close()
    assert not [thread for thread in threading.enumerate() if "milvus" in thread.name or "_serve" in thread.name]
    assert (first.count(), second.count()) == (3, 5)


def test_threads_make_a_collection_once(make_store):
    store, sample = make_store(), random_sample(8)
    in_threads(lambda number: sample[number : number + 1].put_into(store), 8)
    assert store.count() == 8


def test_words_alone(make_store):
    store = make_store()
    store.put([Document("kavo lumi", "a"), Document("lumi", "b")], None)
    assert store.search_dense(np.eye(1, WIDTH, dtype=np.float32), 3) == [[]]
    assert store.get_vectors(["no-such-key"]).shape == (1, 0)
    assert [document.id for document in store.get([key for key, _ in store.search_lexical(["kavo"], 3)[0]])] == ["a"]
    with pytest.raises(InputError, match="holds no vectors, got vectors of the width 16"):
        store.put([Document("c")], np.eye(1, WIDTH, dtype=np.float32))


def test_what_cannot_be_put(make_store):
    store, vectors = make_store(), unit_vectors(np.random.default_rng(1), 2, WIDTH)
    many = " ".join(map(str, range(5_000)))
    with pytest.raises(InputError, match=r"documents\[1\] has .* different words, and Milvus holds 4,096"):
        store.put([Document("one"), Document(many)], vectors)
    random_letters = "".join(map(chr, np.random.default_rng(1).integers(0x4E00, 0x9FFF, 60_000)))
    with pytest.raises(InputError, match=r"documents\[0\] has .* bytes"):
        store.put([Document(random_letters), Document("two")], vectors)
    with pytest.raises(ConfigError, match="does not rank by multi_vector"):
        store.put([Document("one"), Document("two")], vectors, [vectors, vectors])
    with pytest.raises(InputError, match="The note 'long' has 70,000 bytes"):
        store.set_note("long", "x" * 70_000)
    assert store.count() == 0


def test_ids_and_a_filter_delete_what_meets_both(make_store):
    store = make_store()
    random_sample(20).put_into(store)
    assert store.delete(["random-2", "random-3", "nobody"]) == 2
    assert [key is None for key in store.keys_of(["random-1", "random-2", "random-3"])] == [False, True, True]


def test_its_stemming_is_kept(make_store):
    pytest.importorskip("Stemmer")
    stemmed = make_store(stemming="english")
    stemmed.put([Document("boats", "a")], None)
    assert stemmed.search_lexical(["boat"], 1)[0]
    stemmed.close()
    assert make_store().search_lexical(["boat"], 1)[0]
    other = make_store(stemming="german")
    with pytest.raises(IndexMismatchError, match="made with stemming='english', not 'german'"):
        other.search_lexical(["boat"], 1)
    with pytest.raises(IndexMismatchError, match="build it again"):
        other.put([Document("boats", "b")], None)
    assert other.count() == 1


@pytest.mark.parametrize("name", ["", "1a", "a-b", "größe", "a" * 201])
def test_a_name_that_is_none(name):
    with pytest.raises(ConfigError, match="collection must be"):
        MilvusStore("http://localhost:19530", collection=name)


def test_a_path_that_is_none():
    with pytest.raises(ConfigError, match=r"ends in \.db"):
        MilvusStore("folder/milvus", collection="documents")


def test_a_folder_that_is_not_there(tmp_path):
    with (
        MilvusStore(str(tmp_path / "none" / "milvus.db"), collection="documents") as store,
        pytest.raises(IndexFilesError, match="Check that its folder exists"),
    ):
        store.count()


def test_no_server():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            MilvusStore(url, collection="documents", timeout=1.0) as store,
            pytest.raises(IndexFilesError, match=f"{url} failed.*Check that it runs"),
        ):
            store.count()


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_without_the_packages(make_store, monkeypatch, package):
    store = make_store()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[milvus\]"):
        store.count()
