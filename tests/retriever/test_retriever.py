import asyncio
import pickle
import threading

import pytest
from retriever_samples import DOCUMENTS

from jina_components import Document, Retriever
from jina_components.errors import (
    BackendError,
    InputError,
    UnknownNameError,
)
from jina_components.testing import FakeEmbedder


def ids(ranking):
    return [hit.document.id for hit in ranking]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
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
        lambda r: r.add("a bare string"),
        lambda r: r.add([3]),
        lambda r: r.delete("paris"),
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


def test_an_empty_corpus_is_an_error_that_says_so():
    with pytest.raises(InputError, match="no documents"):
        Retriever(FakeEmbedder()).retrieve("anything")
    assert Retriever(FakeEmbedder()).add([]) == []


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


def test_pickling_says_what_to_do_instead(retriever):
    with pytest.raises(InputError, match="save"):
        pickle.dumps(retriever)


def test_cancelling_an_add_changes_nothing():
    async def scenario():
        retriever = Retriever(FakeEmbedder())
        task = asyncio.create_task(retriever.aadd([f"text {n}" for n in range(20)]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return retriever

    assert len(asyncio.run(scenario())) in (0, 20)
