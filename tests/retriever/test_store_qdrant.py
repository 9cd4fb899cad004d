import pickle
import socket
import sys

import numpy as np
import pytest
from local_server import http
from store_filter_checks import check_random_filters

from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError, MissingDependencyError
from jina_components.retriever import Retriever
from jina_components.retriever.stores.qdrant import QdrantStore
from jina_components.retriever.stores.qdrant.layout import batches, point
from jina_components.testing import FakeEmbedder, check_store
from jina_components.testing.store_samples import WIDTH, random_sample, unit_vectors
from jina_components.types import Document

pytest.importorskip("qdrant_client")


@pytest.fixture
def store():
    with QdrantStore(":memory:", collection="documents") as store:
        yield store


@pytest.mark.slow
def test_it_meets_the_contract():
    check_store(lambda: QdrantStore(":memory:", collection="documents"), ordered=False)


@pytest.mark.slow
def test_filters_mean_what_they_mean_elsewhere(store):
    check_random_filters(store, examples=30)


# The client does not close the file whose lock it did not get.
@pytest.mark.filterwarnings(r"ignore:(?s)Exception ignored in.*\.lock:pytest.PytestUnraisableExceptionWarning")
def test_a_folder_keeps_everything(tmp_path):
    sample = random_sample(30)
    with QdrantStore(str(tmp_path), collection="documents") as first:
        sample.put_into(first)
        first.set_note("embedder", "one")
        found = first.search_lexical(["kavo lumi"], 30), first.search_dense(sample.vectors[:1], 5)
        with (
            pytest.raises(IndexFilesError, match="already accessed by another instance"),
            pickle.loads(pickle.dumps(first)) as second,
        ):
            second.count()
    with pickle.loads(pickle.dumps(first)) as second:
        assert second.count() == 30
        assert (second.search_lexical(["kavo lumi"], 30), second.search_dense(sample.vectors[:1], 5)) == found
        assert second.get_note("embedder") == "one"


def test_statistics_follow_other_writers():
    store = QdrantStore(":memory:", collection="documents", refresh=0.0)
    with store:
        store.put([Document("kavo lumi", "a"), Document("lumi", "b")], None)
        before = store.search_lexical(["kavo"], 1)[0][0][1]
        points = list(store._points([Document("kavo", "c"), Document("kavo", "d")], None, None))
        store._connection._connected.upsert("documents", points)  # as another process does
        assert len(store.search_lexical(["kavo"], 9)[0]) == 3
        assert store.search_lexical(["kavo"], 9)[0][0][1] < before


def test_words_alone(store):
    store.put([Document("kavo lumi", "a"), Document("lumi", "b")], None)
    assert store.search_dense(np.eye(1, WIDTH, dtype=np.float32), 3) == [[]]
    assert store.get_vectors(["no-such-key"]).shape == (1, 0)
    assert [document.id for document in store.get([key for key, _ in store.search_lexical(["kavo"], 3)[0]])] == ["a"]
    with pytest.raises(InputError, match="holds no vectors, got vectors of the width 16"):
        store.put([Document("c")], np.eye(1, WIDTH, dtype=np.float32))


def test_what_cannot_be_put(store):
    vectors = unit_vectors(np.random.default_rng(1), 2, WIDTH)
    with pytest.raises(InputError, match="id 'a' of another"):
        store.put([Document("one", "a"), Document("two", "a")], vectors)
    with pytest.raises(InputError, match="of one width"):
        store.put([Document("one"), Document("two")], vectors, [np.eye(1, 4), np.eye(1, 5)])
    store.put([Document("one"), Document("two")], vectors)
    with pytest.raises(InputError, match="holds no token vectors, got token vectors of the width 4"):
        store.put([Document("one"), Document("two")], vectors, [np.eye(1, 4), np.eye(1, 4)])
    with pytest.raises(InputError, match=r"vectors\[1\] is not finite or not of unit length"):
        store.put([Document("one"), Document("two")], vectors * np.array([[1], [np.nan]]))
    with pytest.raises(InputError, match="no finite number"):
        store.search_dense(vectors * np.inf, 1)
    with pytest.raises(InputError, match="delete takes either ids or filter"):
        store.delete()
    assert store.count() == 2


def test_requests_have_a_bound():
    words, tokens = "word " * 200_000, np.full((900, 128), 1 / 3)
    points = [point(Document(words, str(n)), [], None, tokens if n % 2 else None) for n in range(16)]
    requests = list(batches(iter(points)))
    assert [one for request in requests for one in request] == points
    assert len(requests) < 10
    assert max(sum(len(one.model_dump_json()) for one in request) for request in requests) < 10_000_000


def test_ids_and_a_filter_delete_what_meets_both(store):
    random_sample(20).put_into(store)
    assert store.delete(["random-2", "random-3", "nobody"]) == 2
    assert [key is None for key in store.keys_of(["random-1", "random-2", "random-3"])] == [False, True, True]


def test_its_stemming_is_kept(tmp_path):
    pytest.importorskip("Stemmer")
    with QdrantStore(str(tmp_path), collection="documents", stemming="english") as stemmed:
        stemmed.put([Document("boats", "a")], None)
        assert stemmed.search_lexical(["boat"], 1)[0]
    with QdrantStore(str(tmp_path), collection="documents") as store:
        assert store.search_lexical(["boat"], 1)[0]
    with QdrantStore(str(tmp_path), collection="documents", stemming="german") as other:
        with pytest.raises(IndexMismatchError, match="made with stemming='english', not 'german'"):
            other.search_lexical(["boat"], 1)
        with pytest.raises(IndexMismatchError, match="build it again"):
            other.put([Document("boats", "b")], None)
        assert other.count() == 1


def test_a_name_that_is_none():
    with pytest.raises(ConfigError, match="collection"):
        QdrantStore(":memory:", collection="../etc")


def test_no_server():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            QdrantStore(url, collection="documents") as store,
            pytest.raises(IndexFilesError, match=f"{url} cannot be reached"),
        ):
            store.count()


def test_a_server_that_refuses(server):
    server.routes["/collections/documents/exists"] = [http(401, b"{}")]
    with (
        QdrantStore(server.url("").rstrip("/"), collection="documents") as store,
        pytest.raises(IndexFilesError, match="refused with status 401.*Give the api_key"),
    ):
        store.count()


def test_without_the_package(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[qdrant\]"):
        store.count()


def test_a_copy_without_token_vectors(store):
    filled = Retriever(FakeEmbedder(), store=store)
    filled.add(["rain in the west", "snow in the east"])
    copied = Retriever(FakeEmbedder())
    assert filled.copy_to(copied.store) == 2
    assert copied.retrieve("snow", top_k=1)[0].document.text == "snow in the east"
