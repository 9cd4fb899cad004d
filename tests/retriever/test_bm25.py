"""BM25's values against the formula, whatever was added and deleted; and its limits."""

import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError, IndexFilesError, InputError
from jina_components.retriever.bm25 import Analyzer, BM25Index

CORPUS = ["the cat sat on the mat", "the dog chased the cat", "birds sing", "the the the"]
TERMS = Analyzer().terms


def reference(query, texts, k1=0.9, b=0.4):
    """BM25 as the paper writes it with Lucene's idf, document by document: scores above 0 by slot."""
    split = {slot: TERMS(text) for slot, text in texts.items()}
    average = sum(map(len, split.values())) / max(len(split), 1) or 1
    scores = dict.fromkeys(split, 0.0)
    for term in TERMS(query):
        frequency = sum(term in terms for terms in split.values())
        idf = math.log(1 + (len(split) - frequency + 0.5) / (frequency + 0.5))
        for slot, terms in split.items():
            count = terms.count(term)
            if count:
                scores[slot] += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(terms) / average))
    return {slot: score for slot, score in scores.items() if score > 0}


def index_of(texts, **settings_):
    return BM25Index.empty(**settings_).with_added(np.arange(len(texts)), texts)


def assert_scores(index, query, texts, **parameters):
    assert dict(index.search(query, 1000)) == pytest.approx(reference(query, texts, **parameters), rel=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"k1": 0.0}, {"k1": 1.5, "b": 1.0}, {"b": 0.0}])
def test_scores_equal_the_formula(parameters):
    for query in ("cat", "the cat", "cat cat dog", "sing birds the", "unheard of"):
        assert_scores(index_of(CORPUS, **parameters), query, dict(enumerate(CORPUS)), **parameters)


texts_of_few_words = st.lists(st.text("abcdé ", max_size=14), max_size=6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), texts_of_few_words, st.integers(0, 3)),
        st.tuples(st.just("delete"), st.sets(st.integers(0, 30)), st.just(0)),
        st.tuples(st.just("compact"), st.just(()), st.integers(0, 2)),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.text("abcdé ", max_size=10))
def test_scores_equal_the_formula_after_any_adds_and_deletes(steps, query):
    index, texts = BM25Index.empty(), {}
    for what, argument, gap in steps:
        before, old, found = index, dict(texts), index.search(query, 1000)
        if what == "add":
            slots = np.arange(len(argument)) + index.end + gap
            texts |= dict(zip(slots.tolist(), argument, strict=True))
            index = index.with_added(slots, argument)
        elif what == "delete":
            texts = {slot: text for slot, text in texts.items() if slot not in argument}
            index = index.without(np.array(sorted(argument), np.int64))
        else:
            new = {slot: place * 2 + gap for place, slot in enumerate(texts)}
            index = index.compacted(np.array([new.get(slot, -1) for slot in range(index.end)], np.int64))
            texts = {new[slot]: text for slot, text in texts.items()}
        assert len(index) == len(texts)
        assert_scores(index, query, texts)
        assert before.search(query, 1000) == found  # the old value stands
        assert len(before) == len(old)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 10, 50]), st.sampled_from([None, 0.5, 0.01]))
def test_the_best_k_are_those_of_all(seed, k, share):
    """The terms of natural texts: some in most documents, most in few, so that scoring can stop early."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([f"w{number}" for number in range(400)])
    texts = [" ".join(vocabulary[np.minimum(rng.zipf(1.3, rng.integers(1, 30)), 400) - 1]) for _ in range(1500)]
    index = index_of(texts[:1000])
    for slot in range(1000, 1500, 100):
        index = index.with_added(np.arange(slot, slot + 100), texts[slot : slot + 100])
    index = index.without(rng.integers(0, 1500, 100))
    allowed = None if share is None else rng.random(1500) < share
    for query in (" ".join(texts[seed % 1500].split()[:8]), "w0 w1 w2", "w0 w0 w300 w301 w2"):
        everything = index.search(query, 10_000)
        expected = [(slot, score) for slot, score in everything if allowed is None or allowed[slot]]
        assert expected == sorted(expected, key=lambda hit: (-hit[1], hit[0]))
        assert index.search(query, k, allowed) == expected[:k]


def test_scores_equal_those_of_bm25s():
    import bm25s

    rng = np.random.default_rng(3)
    texts = [" ".join(f"t{n}" for n in np.minimum(rng.zipf(1.4, rng.integers(2, 40)), 300)) for _ in range(300)]
    peer = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    peer.index([TERMS(text) for text in texts], show_progress=False)
    index = index_of(texts)
    for query in texts[:20]:
        terms = sorted(set(TERMS(query)))
        # bm25s leaves out the constant factor k1 + 1, as Lucene does since its version 8.
        expected = peer.get_scores(terms) * 1.9
        found = np.zeros(len(texts))
        for slot, score in index.search(" ".join(terms), len(texts)):
            found[slot] = score
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_one_by_one_is_as_all_at_once():
    rng = np.random.default_rng(5)
    texts = [" ".join(f"t{n}" for n in rng.integers(0, 50, rng.integers(0, 12))) for _ in range(200)]
    index = BM25Index.empty()
    for slot, text in enumerate(texts):
        index = index.with_added([slot], [text])
    assert len(index.segments) < 8
    for query in texts[:20]:
        assert index.search(query, 20) == index_of(texts).search(query, 20)


def test_a_batch_larger_than_is_turned_round_at_once(monkeypatch):
    expected = index_of(CORPUS).search("the cat", 10)
    monkeypatch.setattr("jina_components.retriever.bm25.index._BATCH", 3)
    assert index_of(CORPUS).search("the cat", 10) == expected


def test_equal_scores_are_ordered_by_slot():
    assert [slot for slot, _ in index_of(["same text"] * 500).search("text", 5)] == [0, 1, 2, 3, 4]
    assert [slot for slot, _ in index_of(["other words"] * 500 + ["same text"] * 9).search("text", 5)] == [
        500, 501, 502, 503, 504,
    ]  # fmt: skip


def test_allowed_slots_only():
    allowed = np.array([False, True, True, False])
    assert [slot for slot, _ in index_of(CORPUS).search("the cat", 10, allowed)] == [1]
    assert index_of(CORPUS).search("the cat", 10, np.zeros(4, bool)) == []
    longer = np.append(allowed, [True] * 9)
    assert index_of(CORPUS).search("the cat", 10, longer) == index_of(CORPUS).search("the cat", 10, allowed)
    with pytest.raises(InputError, match="4 slots"):
        index_of(CORPUS).search("cat", 1, allowed[:3])


def test_nothing_to_find():
    assert BM25Index.empty().search("cat", 5) == []
    assert len(BM25Index.empty()) == 0
    assert index_of(CORPUS).search("", 5) == []
    assert index_of(CORPUS).search("zebra", 5) == []
    assert index_of(CORPUS).search("cat", 0) == []
    assert index_of(["", "!?"]).search("cat", 5) == []
    gone = index_of(CORPUS).without(np.arange(4))
    assert (len(gone), gone.search("cat", 5)) == (0, [])
    assert len(gone.compacted(np.full(4, -1))) == 0
    assert index_of(CORPUS).with_added(np.empty(0, np.int64), []).search("cat", 5)


def test_texts_without_terms_are_documents():
    texts = ["", "cat", "...", "cat dog"]
    assert len(index_of(texts)) == 4
    assert_scores(index_of(texts), "cat", dict(enumerate(texts)))


def test_odd_texts():
    texts = ["nul\x00byte cat", "\ud800 lone cat", "\ufeffcat\x1c", "\U0010ffff"]
    assert_scores(index_of(texts), "cat byte lone", dict(enumerate(texts)))


def test_a_text_of_megabytes():
    index = index_of(["word " * 1_000_000 + "rare", "word"])
    assert [slot for slot, _ in index.search("rare", 5)] == [0]
    assert index.search("word", 5)[0][0] == 0
    assert int(index.segments[0].counts.max()) == 1_000_000


def test_slots_that_cannot_be():
    index = index_of(CORPUS)
    for slots in ([3], [5, 5], [6, 5], [2**31]):
        with pytest.raises(InputError, match="ascend"):
            index.with_added(slots, ["text"] * len(slots))
    with pytest.raises(InputError, match="as many slots"):
        index.with_added([7], ["one", "two"])
    with pytest.raises(InputError, match="new ones"):
        index.compacted(np.arange(2))
    with pytest.raises(InputError, match="ascend"):
        index.compacted(np.array([1, 0, 2, 3]))


def test_more_terms_than_can_be_numbered(monkeypatch):
    monkeypatch.setattr("jina_components.retriever.bm25.index._MOST_TERMS", 3)
    with pytest.raises(InputError, match="3 different terms"):
        index_of(CORPUS)


@pytest.mark.parametrize("parameters", [{"k1": -1.0}, {"k1": math.nan}, {"b": 1.1}, {"b": -0.1}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(ConfigError, match="k1"):
        BM25Index.empty(**parameters)


def test_compaction_forgets_terms():
    index = index_of(CORPUS).without(np.array([0, 1])).compacted(np.array([-1, -1, 0, 1]))
    assert sorted(index.vocabulary) == ["birds", "sing", "the"]
    assert (index.end, len(index)) == (2, 2)
    assert_scores(index, "the birds", {0: CORPUS[2], 1: CORPUS[3]})
    assert_scores(index.with_added([2], ["the cat"]), "the cat", {0: CORPUS[2], 1: CORPUS[3], 2: "the cat"})


def test_two_indexes_of_one_may_grow_apart():
    base = index_of(CORPUS)
    one, other = base.with_added([4], ["a zebra"]), base.with_added([4], ["a lion"])
    assert (one.search("lion", 5), [slot for slot, _ in other.search("lion", 5)]) == ([], [4])
    assert ([slot for slot, _ in one.search("zebra", 5)], base.search("zebra", 5)) == ([4], [])


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("texts", [[], [""], CORPUS, ["東京都 naïve \x00", *CORPUS]])
def test_files_round_trip(tmp_path, texts, mapped):
    index = index_of(texts, k1=1.2, b=0.75).with_added([9], ["one more cat"]).without(np.array([1, 9]))
    index.save(tmp_path / "lexical")
    copy = BM25Index.load(tmp_path / "lexical", mapped=mapped)
    assert (len(copy), copy.end, copy.analyzer, copy.k1, copy.b) == (len(index), 10, Analyzer(), 1.2, 0.75)
    for query in ("the cat", "東京 birds", "more"):
        assert copy.search(query, 10) == index.search(query, 10)
    grown = copy.with_added([10], ["the cat of more"]).without(np.array([0]))
    assert grown.search("the cat", 9) == index.with_added([10], ["the cat of more"]).without([0]).search("the cat", 9)


def test_broken_files(tmp_path):
    def broken(change):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        index_of(CORPUS).save(folder)
        change(folder)
        with pytest.raises(IndexFilesError, match="lexical index"):
            BM25Index.load(folder, mapped=True)

    def foreign(folder):
        settings = json.loads((folder / "index.json").read_text("utf-8"))
        (folder / "index.json").write_text(json.dumps(settings | {"version": 99}), "utf-8")

    broken(foreign)

    def incomplete(folder):
        settings = json.loads((folder / "index.json").read_text("utf-8"))
        (folder / "index.json").write_text(json.dumps(settings | {"k1": None}), "utf-8")

    broken(incomplete)
    broken(lambda folder: (folder / "index.json").write_text("[]", "utf-8"))
    broken(lambda folder: (folder / "index.json").unlink())
    broken(lambda folder: (folder / "vocabulary.txt").write_bytes(b"only"))
    broken(lambda folder: (folder / "0.slots.npy").unlink())
    broken(lambda folder: (folder / "0.slots.npy").write_bytes(b"\x93NUMPY"))
    broken(lambda folder: np.save(folder / "0.counts.npy", np.ones(3, np.uint8)))
    broken(lambda folder: np.save(folder / "0.held.npy", np.ones((2, 2), bool)))
    with pytest.raises(IndexFilesError, match="cannot be written"):
        index_of(CORPUS).save(tmp_path / "0" / "index.json" / "below")


def test_searches_from_many_threads():
    rng = np.random.default_rng(1)
    texts = [" ".join(f"t{n}" for n in np.minimum(rng.zipf(1.3, 20), 500)) for _ in range(3000)]
    index, found = index_of(texts), []
    expected = [index.without(np.empty(0)).search(text, 10) for text in texts[:100]]  # each works its statistics out
    threads = [
        threading.Thread(target=lambda: found.append([index.search(text, 10) for text in texts[:100]]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
