"""Token vectors in the default store, and through the retriever."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from tiny_colberts import save_bert_colbert

from jina_components import Embedder, Retriever
from jina_components.core.late_interaction import max_sim
from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError, IndexFilesError, IndexMismatchError, InputError
from jina_components.filters import Field, Filter
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import FakeEmbedder
from jina_components.types import Document

TEXTS = [f"{subject} {verb} {thing}" for subject in ("the cat", "a dog", "one fish", "my horse")
         for verb in ("eats", "sees") for thing in ("bread", "grass", "water")]  # fmt: skip
EVEN: Filter = Field("even") == True  # noqa: E712 (a filter)


@pytest.fixture(scope="module")
def colbert(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(save_bert_colbert(tmp_path_factory.mktemp("colbert") / "model"))


def documents(texts: list[str]) -> list[Document]:
    return [Document(text, id=text, metadata={"even": index % 2 == 0}) for index, text in enumerate(texts)]


def fill(store: FaissStore, colbert: Embedder, texts: list[str]) -> dict[str, np.ndarray]:
    matrices = list(colbert.embed_multi_vector(texts).vectors)
    store.put(documents(texts), None, matrices)
    return dict(zip(texts, matrices, strict=True))


def found(store: FaissStore, query: np.ndarray, k: int = 100, filter: Filter | None = None) -> dict[str, float]:
    [hits] = store.search_multi_vector([query], k, filter)
    held = store.get([key for key, _ in hits])
    return {document.id: score for document, (_, score) in zip(held, hits, strict=True) if document is not None}


@pytest.fixture
def query(colbert: Embedder) -> np.ndarray:
    return colbert.embed_multi_vector(["the dog sees water"], task="retrieval.query").vectors[0]


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_store_ranks_by_late_interaction(
    colbert: Embedder, query: np.ndarray, tmp_path: Path, *, on_disk: bool
) -> None:
    with FaissStore(tmp_path / "index" if on_disk else None) as store:
        matrices = fill(store, colbert, TEXTS)
        assert "multi_vector" in store.rankings
        scores = found(store, query)
        expected = dict(zip(matrices, max_sim(query, list(matrices.values())).tolist(), strict=True))
        assert scores == pytest.approx(expected, abs=0.02 * len(query))
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        assert found(store, query, filter=EVEN).keys() == set(TEXTS[::2])
        assert len(found(store, query, k=3)) == 3


def test_what_was_put_deleted_and_compacted_is_there_after_opening(
    colbert: Embedder, query: np.ndarray, tmp_path: Path
) -> None:
    with FaissStore(tmp_path / "index") as store:
        fill(store, colbert, TEXTS[:12])
        fill(store, colbert, TEXTS[12:])
        before = found(store, query)
        store.delete(TEXTS[3:7])
        left = {text: score for text, score in before.items() if text not in TEXTS[3:7]}
        assert found(store, query) == pytest.approx(left, abs=1e-4)
    with FaissStore(tmp_path / "index") as store:
        assert found(store, query) == pytest.approx(left, abs=1e-4)
        store.compact()
        assert found(store, query) == pytest.approx(left, abs=1e-4)
        fill(store, colbert, TEXTS[3:5])
        left |= {text: before[text] for text in TEXTS[3:5]}
        assert found(store, query) == pytest.approx(left, abs=1e-4)
        assert not store.verify().problems
        store.save_to(tmp_path / "copy")
    for name in ("index", "copy"):
        with FaissStore(tmp_path / name) as store:
            assert found(store, query) == pytest.approx(left, abs=1e-4)
        assert len(list((tmp_path / name).glob("tokens-*.i8"))) == 1


def test_another_process_sees_what_this_one_puts(colbert: Embedder, query: np.ndarray, tmp_path: Path) -> None:
    with FaissStore(tmp_path / "index") as writer, FaissStore(tmp_path / "index") as reader:
        fill(writer, colbert, TEXTS[:5])
        assert found(reader, query).keys() == set(TEXTS[:5])
        fill(writer, colbert, TEXTS[5:])
        assert found(reader, query) == pytest.approx(found(writer, query))
        writer.delete(TEXTS[:1])
        writer.compact()
        assert found(reader, query).keys() == set(TEXTS[1:])


def test_a_rebuilt_index_is_made_in_the_background_and_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrices = [normalize(rng.standard_normal((60, 8)).astype(np.float32)) for _ in range(2400)]
    texts = [f"number {index}" for index in range(2400)]
    with FaissStore(tmp_path / "index") as store:
        store.put(documents(texts), None, matrices)
        store.compact()
        assert len(store._engine.fresh().multi_vector.centroids)
    with FaissStore(tmp_path / "index") as store:
        assert len(store._engine.fresh().multi_vector.centroids)
        assert next(iter(found(store, matrices[7][:6], k=1))) == "number 7"


def test_repair_keeps_token_vectors(colbert: Embedder, query: np.ndarray, tmp_path: Path) -> None:
    with FaissStore(tmp_path / "index") as store:
        fill(store, colbert, TEXTS)
        store.compact()
        before = found(store, query)
    [checkpoint] = (tmp_path / "index").glob("checkpoint-*/rows.npy")
    checkpoint.write_bytes(b"broken")
    with FaissStore(tmp_path / "index") as store:
        assert store.repair().problems
        assert found(store, query) == pytest.approx(before, abs=1e-4)


def test_documents_with_and_without_token_vectors_do_not_mix(colbert: Embedder, query: np.ndarray) -> None:
    with FaissStore() as store:
        matrices = fill(store, colbert, TEXTS[:3])
        with pytest.raises(InputError, match="token vectors"):
            store.put(documents(["other"]), None)
        with pytest.raises(InputError, match="token vectors"):
            store.put(documents(["other"]), None, [np.eye(4, dtype=np.float32)])
        with pytest.raises(InputError, match="token vectors of 3"):
            store.put(documents(["other"]), None, list(matrices.values()))
        with pytest.raises(InputError, match="query"):
            store.search_multi_vector([np.eye(4, dtype=np.float32)], 3)
        assert found(store, query).keys() == set(TEXTS[:3])
        store.delete(TEXTS[:3])
        store.put(documents(["plain"]), None)
        with pytest.raises(ConfigError, match="no token vectors"):
            store.search_multi_vector([query], 3)


def test_token_vectors_come_back_and_are_kept_as_the_same_bytes(colbert: Embedder, tmp_path: Path) -> None:
    with FaissStore(tmp_path / "index") as store, FaissStore() as copy, FaissStore() as plain:
        matrices = fill(store, colbert, TEXTS)
        keys = store.keys_of(TEXTS)
        given = store.get_token_vectors(keys)
        for vectors, text in zip(given, TEXTS, strict=True):
            assert vectors == pytest.approx(matrices[text], abs=0.02)
        copy.put(documents(TEXTS), None, given)
        again = copy.get_token_vectors(copy.keys_of(TEXTS))
        assert all(np.array_equal(one, other) for one, other in zip(given, again, strict=True))
        store.delete(TEXTS[:1])
        assert store.get_token_vectors(keys[:2])[0].shape == (0, given[0].shape[1])
        plain.put(documents(TEXTS), None)
        assert [vectors.shape for vectors in plain.get_token_vectors(plain.keys_of(TEXTS[:2]))] == [(0, 0)] * 2


def test_a_turned_byte_is_found_and_its_document_kept(colbert: Embedder, query: np.ndarray, tmp_path: Path) -> None:
    with FaissStore(tmp_path / "index") as store:
        matrices = fill(store, colbert, TEXTS)
        before = found(store, query)
    [path] = (tmp_path / "index").glob("tokens-*.i8")
    content = bytearray(path.read_bytes())
    content[len(matrices[TEXTS[0]]) * matrices[TEXTS[0]].shape[1]] ^= 1
    path.write_bytes(content)
    with FaissStore(tmp_path / "index") as store:
        assert "token vectors of 1 documents" in store.verify().problems[0]
        report = store.repair()
        assert report.lost == ()
        assert report.lost_token_vectors == (TEXTS[1],)
        assert "token vectors of 1 documents" in store.verify().problems[0]
        assert store.count() == len(TEXTS)
        assert found(store, query) == pytest.approx({k: v for k, v in before.items() if k != TEXTS[1]}, abs=1e-4)
        fill(store, colbert, TEXTS[1:2])
        assert found(store, query) == pytest.approx(before, abs=1e-4)
        assert not store.verify().problems


def test_a_lost_file_of_token_vectors_costs_no_documents(colbert: Embedder, query: np.ndarray, tmp_path: Path) -> None:
    with FaissStore(tmp_path / "index") as store:
        fill(store, colbert, TEXTS)
    next((tmp_path / "index").glob("tokens-*.i8")).unlink()
    with FaissStore(tmp_path / "index") as store:
        with pytest.raises(IndexFilesError, match="repair"):
            store.count()
        assert store.repair().lost_token_vectors == tuple(TEXTS)
        assert store.count() == len(TEXTS)
        assert found(store, query) == {}
        fill(store, colbert, TEXTS)
        assert found(store, query).keys() == set(TEXTS)


@pytest.mark.parametrize("where", ["row < 4", "row BETWEEN 5 AND 7", "row > 20"])
def test_token_vectors_are_found_where_documents_are_gone(
    colbert: Embedder, query: np.ndarray, tmp_path: Path, where: str
) -> None:
    with FaissStore(tmp_path / "index") as store:
        fill(store, colbert, TEXTS)
        before = found(store, query)
    connection = sqlite3.connect(tmp_path / "index" / "documents.sqlite3")
    connection.execute(f"DELETE FROM documents WHERE {where}")
    connection.commit()
    connection.close()
    with FaissStore(tmp_path / "index") as store:
        assert store.verify().problems
        assert not store.repair().lost_token_vectors
        left = {document.id for document in store.scan()}
        assert len(left) in range(len(TEXTS) - 4, len(TEXTS) - 2)
        assert found(store, query) == pytest.approx({k: v for k, v in before.items() if k in left}, abs=1e-4)
        assert not store.verify().problems


def test_a_retriever_ranks_by_vectors_words_and_tokens(colbert: Embedder, query: np.ndarray, tmp_path: Path) -> None:
    parts = {"embedder": FakeEmbedder(), "multi_vector": colbert}
    with Retriever(**parts) as retriever:
        retriever.add(documents(TEXTS))
        ranking = retriever.retrieve("the dog sees water", mode="multi_vector", top_k=24)
        assert {hit.document.id: hit.score for hit in ranking} == pytest.approx(found(retriever.store, query))
        [only, *_] = retriever.retrieve("the dog sees water", mode="multi_vector", filter={"even": True})
        assert only.document.metadata["even"]
        hybrid = retriever.retrieve("the dog sees water", mode="hybrid", top_k=24)
        assert {why.stage for hit in hybrid for why in hit.why} == {"dense", "lexical", "multi_vector", "fusion"}
        retriever.save(tmp_path / "saved")
        with FaissStore(tmp_path / "copied") as copied:
            assert retriever.copy_to(copied) == len(TEXTS)
            assert found(copied, query) == pytest.approx(found(retriever.store, query))
    for name in ("saved", "copied"):
        with Retriever.open(tmp_path / name, parts["embedder"], multi_vector=colbert) as opened:
            again = opened.retrieve("the dog sees water", mode="multi_vector", top_k=24)
            assert [hit.document.id for hit in again] == [hit.document.id for hit in ranking]
            opened.add(documents(["a cat sees fish"]))
            assert len(opened) == len(TEXTS) + 1


def test_a_store_without_token_vectors_is_as_it_was(colbert: Embedder) -> None:
    with Retriever(FakeEmbedder()) as retriever, FaissStore() as copied:
        retriever.add(documents(TEXTS))
        assert retriever.store.rankings == {"dense", "lexical"}
        assert retriever.copy_to(copied) == len(TEXTS)
        assert copied.rankings == {"dense", "lexical"}
        with pytest.raises(ConfigError, match="multi_vector"):
            retriever.retrieve("dog", mode="multi_vector")
        other = Retriever(FakeEmbedder(), store=retriever.store, multi_vector=colbert)
        with pytest.raises(IndexMismatchError, match="multi-vector"):
            other.add(["another"])
