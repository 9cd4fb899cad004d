import asyncio
import datetime as dt
import pickle
import threading

import numpy as np
import pytest
from retriever_samples import DOCUMENTS, WordVectors

from jina_components import Document, Retriever
from jina_components.errors import (
    BackendError,
    ConfigError,
    IndexFilesError,
    IndexMismatchError,
    InputError,
    UnknownNameError,
)
from jina_components.filters import Field
from jina_components.retriever import Fusion
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.testing import FakeEmbedder, MemoryStore, check_retriever


def ids(ranking):
    return [hit.document.id for hit in ranking]


def two_rankings():
    return MemoryStore(rankings=["dense", "lexical"])


@pytest.mark.parametrize("store", [two_rankings, FaissStore])
def test_the_contract_on_every_store(store):
    check_retriever(lambda: Retriever(FakeEmbedder(), store=store()))


def test_the_contract_with_other_parts(tmp_path):
    places = (tmp_path / str(number) for number in range(99))
    check_retriever(lambda: Retriever(FakeEmbedder(), store=FaissStore(next(places))))
    check_retriever(Retriever)
    check_retriever(lambda: Retriever(FakeEmbedder(), store=MemoryStore(), multi_vector=WordVectors()))
    check_retriever(lambda: Retriever(store=MemoryStore(rankings=["multi_vector"]), multi_vector=WordVectors()))


@pytest.mark.parametrize("mode", [None, "hybrid", "dense", "lexical"])
def test_the_matching_document_comes_first(retriever, mode):
    ranking = retriever.retrieve("capital of France", mode=mode)
    assert ids(ranking)[0] == "paris"
    assert [hit.score for hit in ranking] == sorted((hit.score for hit in ranking), reverse=True)


def test_add_replaces_by_id_and_returns_ids(retriever):
    assert retriever.add([Document("Snow is due.", "rain"), "A plain text."])[0] == "rain"
    assert len(retriever) == 4
    assert retriever.retrieve("snow", mode="lexical")[0].document.text == "Snow is due."
    assert "afternoon" not in " ".join(d.text for d in retriever.documents())


def test_ids_are_stable():
    assert Retriever(FakeEmbedder()).add(["same"]) == Retriever(FakeEmbedder()).add(["same"])
    assert Retriever(FakeEmbedder()).add(["same", "same"]) == [Document("same").id] * 2


def test_documents_that_lost_their_vectors_are_embedded_again(tmp_path):
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path)) as retriever:
        retriever.add(DOCUMENTS)
        before = retriever.retrieve("capital of France", mode="dense")
    next(tmp_path.glob("vectors-*")).write_bytes(b"")
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path)) as retriever:
        lost = retriever.store.repair().lost_vectors
        assert ids(retriever.retrieve("france", mode="lexical")) == ["paris"]
        assert retriever.retrieve("capital of France", mode="dense")[0].score == 0
        assert retriever.embed_again([*lost, "unknown"]) == 3
        again = retriever.retrieve("capital of France", mode="dense")
        assert [(hit.document, hit.score) for hit in again] == [(hit.document, hit.score) for hit in before]
        assert not retriever.store.verify().problems
        with pytest.raises(InputError, match="list"):
            retriever.embed_again("paris")


def test_delete_by_id_and_by_filter(retriever):
    assert retriever.delete(["paris", "unknown", "paris"]) == 1
    assert "paris" not in retriever
    assert "paris" not in ids(retriever.retrieve("capital of France"))
    assert retriever.delete(filter={"lang": "de"}) == 1
    assert [d.id for d in retriever.documents()] == ["rain"]
    for arguments in ({}, {"ids": ["rain"], "filter": {}}):
        with pytest.raises(InputError, match="either ids or filter"):
            retriever.delete(**arguments)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_filter_restricts_every_mode(retriever, mode):
    assert set(ids(retriever.retrieve("capital Hauptstadt rain", filter={"lang": "de"}, mode=mode))) == {"berlin"}
    assert len(retriever.retrieve("capital", filter={"lang": "xx"}, mode=mode)) == 0


def test_top_k_beyond_the_candidate_depth():
    retriever = Retriever(FakeEmbedder())
    retriever.add([f"word{n} common" for n in range(300)])
    assert len(retriever.retrieve("common", top_k=250)) == 250


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.retrieve(""),
        lambda r: r.retrieve(" \n"),
        lambda r: r.retrieve(3),
        lambda r: r.retrieve("x", top_k=0),
        lambda r: r.retrieve("x", top_k=None),
        lambda r: r.retrieve("x", top_k=True),
        lambda r: r.retrieve("x", min_score="high"),
        lambda r: r.retrieve("x", diversity=1.5),
        lambda r: r.retrieve("x", parents="source"),
        lambda r: r.retrieve("x", filter={"page": {"$around": 3}}),
        lambda r: r.retrieve_many("a bare string"),
        lambda r: r.add("a bare string"),
        lambda r: r.add([3]),
        lambda r: r.delete("paris"),
        lambda r: r.delete(["paris", None]),
        lambda r: r.retrieve("x", min_score=float("nan")),
        lambda r: r.retrieve("x", diversity=float("nan")),
        lambda r: r.retrieve("x", filter=Field("page")),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(retriever, call):
    with pytest.raises(InputError):
        call(retriever)
    assert len(retriever) == 3


def test_the_failing_document_is_named():
    with pytest.raises(InputError, match=r"documents\[1\]") as caught:
        Retriever(FakeEmbedder()).add(["fine", "  ", "fine"])
    assert caught.value.index == 1


def test_the_failing_document_is_named_across_slices(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    texts = [f"text {n}" for n in range(1500)] + ["word " * 9000]
    with pytest.raises(InputError, match=r"documents\[1500\].*context") as caught:
        retriever.add(texts)
    assert caught.value.index == 1500
    assert len(retriever) == 0


def test_the_failing_query_is_named(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add(["rain"])
    with pytest.raises(InputError, match=r"queries\[1\].*context") as caught:
        retriever.retrieve_many(["rain", "word " * 9000])
    assert caught.value.index == 1


@pytest.mark.parametrize("mode", ["dense", "multi_vector"])
def test_a_query_over_the_context_is_called_a_query(mode, bundled_embedder):
    retriever = Retriever(bundled_embedder, multi_vector=ShortWordVectors())
    retriever.add(["Boots are made of leather."])
    long = "boots " * 9000
    with pytest.raises(
        InputError, match=r"^query has \d+ tokens.*: shorten it, or give its model truncate=True"
    ) as caught:
        retriever.retrieve(long, mode=mode)
    assert caught.value.index is None
    with pytest.raises(InputError, match=r"^queries\[1\] has \d+ tokens") as caught:
        retriever.retrieve_many(["leather", long], mode=mode)
    assert caught.value.index == 1


class ShortWordVectors(WordVectors):
    """Takes 100 words."""

    def embed_multi_vector(self, inputs, *, task="retrieval.passage"):
        for index, text in enumerate(inputs):
            if (count := len(text.split())) > 100:
                raise InputError(
                    f"inputs[{index}] has {count} tokens, more than 100: segment it first, or pass truncate=True.",
                    index,
                )
        return super().embed_multi_vector(inputs, task=task)


def test_an_empty_corpus_is_an_error_that_says_so():
    with pytest.raises(InputError, match="no documents"):
        Retriever(FakeEmbedder()).retrieve("anything")
    assert Retriever(FakeEmbedder()).add([]) == []


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        (Field("page") >= 2, {"berlin", "rain"}),
        ({"page": {"$lt": 2}}, {"paris"}),
        (~(Field("lang") == "en"), {"berlin"}),
        (Field("seen") < dt.date(2024, 1, 1), set()),
        ({}, {"paris", "berlin", "rain"}),
    ],
)
def test_typed_and_plain_filters(retriever, filter, wanted):
    assert {d.id for d in retriever.documents(filter=filter)} == wanted
    assert retriever.count(filter=filter) == len(wanted)
    assert set(ids(retriever.retrieve("capital Hauptstadt rain", filter=filter, mode="dense"))) == wanted


def test_many_queries_are_answered_as_each_alone(retriever):
    queries = ["capital of France", "Regen", "rain in the afternoon"]
    settings = {"top_k": 2, "filter": {"page": [1, 3]}, "diversity": 0.3}
    together = retriever.retrieve_many(queries, **settings)
    alone = [retriever.retrieve(query, **settings) for query in queries]
    assert [ids(each) for each in together] == [ids(each) for each in alone]
    for one, other in zip(together, alone, strict=True):
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-5)
    assert retriever.retrieve_many([]) == []
    with pytest.raises(InputError, match=r"queries\[1\]") as caught:
        retriever.retrieve_many(["x", " "])
    assert caught.value.index == 1


def test_a_hit_says_why(retriever):
    hit = retriever.retrieve("capital of France")[0]
    assert [why.stage for why in hit.why] == ["dense", "lexical", "fusion"]
    assert [why.rank for why in hit.why] == [1, 1, 1]
    dense, lexical = (retriever.retrieve("capital of France", mode=mode)[0] for mode in ("dense", "lexical"))
    assert [why.score for why in hit.why] == [dense.score, lexical.score, hit.score]
    unlike = retriever.retrieve("capital of France")[-1]
    assert [why.stage for why in unlike.why] == ["dense", "fusion"]  # it shares no word
    assert "dense" in retriever.retrieve("capital of France")._repr_html_()


def test_modes_need_their_parts(retriever):
    with pytest.raises(ConfigError, match="multi_vector="):
        retriever.retrieve("x", mode="multi_vector")
    words = Retriever()
    words.add(DOCUMENTS)
    assert ids(words.retrieve("capital of France")) == ["paris", "rain"][:1]
    assert words.retrieve("capital of France")[0].why[0].stage == "lexical"
    for mode in ("dense", "hybrid"):
        with pytest.raises(ConfigError, match="embedder"):
            words.retrieve("x", mode=mode)
    with pytest.raises(ConfigError, match="reranker"):
        retriever.retrieve("x", rerank=True)
    with pytest.raises(ConfigError, match="segmenter"):
        retriever.retrieve("x", late_chunking=True)
    with pytest.raises(ConfigError, match="vectors"):
        words.retrieve("x", diversity=0.5)


@pytest.mark.parametrize("mode", [None, "hybrid"])
def test_a_part_of_no_use_is_not_passed_over(mode):
    store = MemoryStore(rankings=["dense"])
    with pytest.raises(ConfigError, match="dense needs an embedder"):
        Retriever(store=store).retrieve("x", mode=mode)
    words = Retriever(FakeEmbedder(), store=MemoryStore(rankings=["lexical"]))
    words.add(DOCUMENTS)
    with pytest.raises(ConfigError, match="dense"):
        words.retrieve("rain", mode=mode)
    assert ids(words.retrieve("rain", mode="lexical")) == ["rain"]
    late = Retriever(FakeEmbedder(), store=two_rankings(), multi_vector=WordVectors())
    late.add(DOCUMENTS)
    with pytest.raises(ConfigError, match="does not rank by multi_vector.*leave it out, or name a mode of dense"):
        late.retrieve("rain", mode=mode)


def test_late_interaction_joins_the_fusion():
    retriever = Retriever(FakeEmbedder(), store=MemoryStore(), multi_vector=WordVectors())
    retriever.add(DOCUMENTS)
    hit = retriever.retrieve("capital of France")[0]
    assert (hit.document.id, [why.stage for why in hit.why]) == (
        "paris",
        ["dense", "lexical", "multi_vector", "fusion"],
    )
    alone = retriever.retrieve("capital of France", mode="multi_vector")[0]
    assert alone.score == pytest.approx(3)  # each of the query's words is there


def test_parts_are_checked():
    for settings in (
        {"embedder": "x"},
        {"embedder": FakeEmbedder},
        {"store": {}},
        {"reranker": 3},
        {"segmenter": 3},
        {"fusion": "rrf"},
    ):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            Retriever(**settings)
    for settings in ({"candidates": 0}, {"rerank_top": "5"}):
        with pytest.raises(InputError, match=next(iter(settings))):
            Retriever(**settings)


def test_the_constructor_touches_no_file(tmp_path):
    retriever = Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index"))
    assert not (tmp_path / "index").exists()
    retriever.close()


def test_fusion_is_the_callers():
    by_words = Retriever(FakeEmbedder(), fusion=Fusion("reciprocal_rank", {"dense": 0, "lexical": 1}))
    by_words.add(DOCUMENTS)
    query = "Rain falls on Deutschland"
    assert ids(by_words.retrieve(query))[:2] == ids(by_words.retrieve(query, mode="lexical"))


def test_unknown_mode(retriever):
    with pytest.raises(UnknownNameError, match="dense"):
        retriever.retrieve("x", mode="densee")


def test_an_embedder_with_bad_vectors_is_refused():
    class Broken(FakeEmbedder):
        def embed_documents(self, texts):
            return [[float("nan")] * 3 for _ in texts]

    with pytest.raises(BackendError, match="finite"):
        Retriever(Broken()).add(["x"])


def test_an_embedder_that_returns_lists_fits():
    class Lists:
        def embed_query(self, text):
            return [1.0, float(len(text))]

        def embed_documents(self, texts):
            return [self.embed_query(text) for text in texts]

    retriever = Retriever(Lists())
    retriever.add(["a", "bb"])
    assert len(retriever.retrieve("cc", mode="dense")) == 2


async def test_async_twins_agree(retriever):
    other = Retriever(FakeEmbedder())
    assert await other.aadd(DOCUMENTS) == [d.id for d in DOCUMENTS]
    assert ids(await other.aretrieve("capital")) == ids(retriever.retrieve("capital"))


def test_threads_add_and_retrieve_together(retriever):
    errors = []

    def work(number):
        try:
            for step in range(20):
                retriever.add([Document(f"text {number} {step}", f"{number}/{step}")])
                retriever.retrieve(f"text {number}")
                if step % 3 == 0:
                    retriever.delete([f"{number}/{step}"])
        except Exception as error:  # noqa: BLE001 (reported below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(retriever) == 3 + 6 * 13


def test_pickling(retriever, tmp_path):
    with pytest.raises(InputError, match="save"):
        pickle.dumps(retriever)
    with pytest.raises(InputError, match="directory"):
        pickle.dumps(Retriever(FakeEmbedder(), store=FaissStore()))
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index"), candidates=7) as durable:
        durable.add(DOCUMENTS)
        with pickle.loads(pickle.dumps(durable)) as copy:
            assert ids(copy.retrieve("capital of France")) == ids(durable.retrieve("capital of France"))
        with Retriever.open(tmp_path / "index", FakeEmbedder()) as opened, pickle.loads(pickle.dumps(opened)) as copy:
            assert len(copy) == 3


# --- on disk -------------------------------------------------------------------------------------------------------


def test_every_change_lasts(tmp_path):
    with pytest.raises(IndexFilesError, match="index"):
        Retriever.open(tmp_path / "index", FakeEmbedder())
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index")) as retriever:
        retriever.add(DOCUMENTS)
        retriever.delete(["paris"])
        with Retriever.open(tmp_path / "index", FakeEmbedder()) as other:
            assert [d.id for d in other.documents()] == ["berlin", "rain"]
            other.add(["Snow melts."])
        assert len(retriever) == 3
        assert retriever.retrieve("snow", mode="lexical")[0].document.text == "Snow melts."


def test_save_and_open(retriever, tmp_path):
    retriever.save(tmp_path / "copy")
    retriever.add(["More."])
    with Retriever.open(tmp_path / "copy", FakeEmbedder()) as opened:
        assert opened.documents() == DOCUMENTS
        assert ids(opened.retrieve("capital of France"))[0] == "paris"
    retriever.save(tmp_path / "copy")
    with Retriever.open(tmp_path / "copy") as by_words:
        assert len(by_words) == 4
        assert ids(by_words.retrieve("Hauptstadt")) == ["berlin"]


def test_another_embedders_vectors_are_refused(tmp_path):
    class Renamed(FakeEmbedder):
        name = "another name"

        def __init__(self):
            super().__init__()
            self.name = "another name"

    class Rotated(FakeEmbedder):
        def embed_documents(self, texts):
            return np.roll(super().embed_documents(texts), 1, axis=1)

    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index")) as retriever:
        retriever.add(DOCUMENTS)
    with Retriever.open(tmp_path / "index", Renamed()) as same:
        assert len(same.retrieve("rain")) == 3
    for other in (Rotated(), FakeEmbedder(dimensions=8)):
        with pytest.raises(IndexMismatchError, match=r"fake-32.*32 dimensions.*another vector space"):
            Retriever.open(tmp_path / "index", other)
        with Retriever(other, store=FaissStore(tmp_path / "index")) as later:
            for call in (lambda: later.add(["x"]), lambda: later.retrieve("x")):
                with pytest.raises(IndexMismatchError):
                    call()
            assert len(later.retrieve("rain", mode="lexical")) == 1  # takes no vectors
    with Retriever.open(tmp_path / "index") as by_words, pytest.raises(IndexMismatchError, match="fake-32"):
        by_words.add(["x"])


def test_two_embedders_at_once_do_not_mix_their_vectors():
    store = two_rankings()

    class Late(FakeEmbedder):
        def embed_documents(self, texts):
            if store.count() == 0:  # another one comes first
                Retriever(FakeEmbedder(), store=store).add(DOCUMENTS)
            return np.roll(super().embed_documents(texts), 1, axis=1)

    with pytest.raises(IndexMismatchError):
        Retriever(Late(), store=store).add(["x"])
    assert store.count() == 3


def test_an_index_of_words_alone_refuses_an_embedder(tmp_path):
    with Retriever(store=FaissStore(tmp_path / "index")) as words:
        words.add(DOCUMENTS)
    with pytest.raises(IndexMismatchError, match="without"):
        Retriever.open(tmp_path / "index", FakeEmbedder())
    with Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "index")) as later:
        with pytest.raises(IndexMismatchError, match="without"):
            later.retrieve("rain")
        assert ids(later.retrieve("rain", mode="lexical")) == ["rain"]


def test_a_damaged_note_is_named():
    store = two_rankings()
    store.set_note("embedder", '{"name": "x"}')
    with pytest.raises(IndexFilesError, match="embedder"):
        Retriever(FakeEmbedder(), store=store).add(DOCUMENTS)


class Copied(FakeEmbedder):
    """Embeds the probe and queries alone."""

    def embed_documents(self, texts):
        assert len(texts) == 1, "documents were embedded again"
        return super().embed_documents(texts)


def test_copying_into_another_store_and_back(tmp_path):
    first = Retriever(FakeEmbedder(), store=FaissStore(tmp_path / "first"))
    first.add([*DOCUMENTS, *(f"number {n}" for n in range(1200))])
    first.delete(["berlin"])
    second = two_rankings()
    assert first.copy_to(second) == first.copy_to(second) == 1202
    there = Retriever(Copied(), store=second)
    assert there.documents() == first.documents()
    for mode in ("dense", "lexical"):
        assert ids(there.retrieve("number 77", mode=mode, top_k=1)) == ids(
            first.retrieve("number 77", mode=mode, top_k=1)
        )
    with Retriever(FakeEmbedder(dimensions=8)) as other:
        other.add(["x"])
        with pytest.raises(IndexMismatchError):
            first.copy_to(other.store)
    with pytest.raises(ConfigError, match="vectors of tokens"):
        Retriever(FakeEmbedder(), store=MemoryStore()).copy_to(MemoryStore())
    first.close()


def test_cancelling_an_add_changes_nothing():
    async def scenario():
        retriever = Retriever(FakeEmbedder())
        task = asyncio.create_task(retriever.aadd([f"text {n}" for n in range(20)]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return retriever

    assert len(asyncio.run(scenario())) in (0, 20)
