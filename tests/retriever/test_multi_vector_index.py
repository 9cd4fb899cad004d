from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.core.late_interaction import max_sim
from jina_components.core.quantization import dequantize
from jina_components.core.vectors import normalize
from jina_components.errors import IndexFilesError, InputError
from jina_components.retriever.multi_vector import MultiVectorIndex, encode_tokens

WIDTH = 16


def unit(rng: np.random.Generator, count: int, width: int = WIDTH) -> np.ndarray:
    return normalize(rng.standard_normal((count, width)).astype(np.float32))


def indexed(matrices: list[np.ndarray]) -> tuple[MultiVectorIndex, np.ndarray]:
    codes, counts = encode_tokens(matrices)
    return MultiVectorIndex.empty().with_added(counts, codes), codes


def reference(query: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """MaxSim with what the store keeps of each document."""
    return max_sim(query, [dequantize(encode_tokens([matrix])[0], "int8") for matrix in matrices])


class Collection:
    """2,400 documents of 140,000 vectors: words of a vocabulary in context, a few subjects to a document."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        words, subjects = unit(rng, 4000), rng.permutation(4000).reshape(100, 40)
        self.matrices = []
        for count in rng.integers(40, 80, size=2400):
            chosen = rng.choice(subjects[rng.choice(100, 3, replace=False)].ravel(), count)
            self.matrices.append(normalize(words[chosen] + 0.1 * unit(rng, count)))
        self.queries = [
            normalize(self.matrices[slot][:12] + 0.2 * unit(rng, 12)) for slot in rng.choice(2400, 40, replace=False)
        ]
        self.plain, self.tokens = indexed(self.matrices)
        self.rebuilt = self.plain.rebuilt(self.tokens)

    def recall(self, index: MultiVectorIndex, allowed: np.ndarray | None = None) -> float:
        """Share of the exact top 10 that an index finds, with the same scores."""
        shares = []
        for query in self.queries:
            exact = dict(self.plain.search(query, 10, self.tokens, allowed))
            found = dict(index.search(query, 10, self.tokens, allowed))
            assert all(found[slot] == pytest.approx(exact[slot], abs=1e-4) for slot in found.keys() & exact.keys())
            shares.append(len(found.keys() & exact.keys()) / 10)
        return float(np.mean(shares))


@pytest.fixture(scope="module")
def collection() -> Collection:
    return Collection()


def test_codes_are_the_vectors_of_all_documents_one_after_another() -> None:
    rng = np.random.default_rng(0)
    matrices = [unit(rng, 3), unit(rng, 0), unit(rng, 2)]
    codes, counts = encode_tokens(matrices)
    assert counts.tolist() == [3, 0, 2]
    assert codes.dtype == np.int8
    assert np.abs(dequantize(codes, "int8") - np.concatenate(matrices)).max() < 0.01
    assert encode_tokens([])[1].tolist() == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(np.ones(WIDTH, np.float32), id="one row"),
        pytest.param(np.zeros((2, WIDTH + 1), np.float32), id="another width"),
        pytest.param(np.full((2, WIDTH), np.nan, np.float32), id="not a number"),
        pytest.param(np.ones((2, WIDTH), np.float32), id="longer than 1"),
        pytest.param([["a"]], id="no numbers"),
    ],
)
def test_a_matrix_that_is_none_is_named(wrong: np.ndarray) -> None:
    good = unit(np.random.default_rng(0), 2)
    with pytest.raises(InputError, match=r"token_vectors\[1\]") as caught:
        encode_tokens([good, wrong])
    assert caught.value.index == 1


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(0, 9), max_size=12),
    length=st.integers(1, 5),
    k=st.integers(1, 15),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_the_scores_are_max_sim_of_what_is_stored(
    counts: list[int], length: int, k: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    matrices, query = [unit(rng, count) for count in counts], unit(rng, length)
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))), bool)
    index, codes = indexed(matrices)
    found = index.search(query, k, codes, allowed)
    expected = reference(query, matrices)
    open_slots = [slot for slot, count in enumerate(counts) if count and allowed[slot]]
    assert len(found) == min(k, len(open_slots))
    assert {slot for slot, _ in found} <= set(open_slots)
    assert [score for _, score in found] == pytest.approx([expected[slot] for slot, _ in found], abs=1e-4)
    best = sorted((expected[slot] for slot in open_slots), reverse=True)[:k]
    assert [score for _, score in found] == pytest.approx(best, abs=1e-4)


def test_documents_and_queries_longer_than_a_block() -> None:
    rng = np.random.default_rng(1)
    matrices = [unit(rng, count) for count in (5000, 1, 2047, 2049, 3)]
    query = unit(rng, 3000)
    index, codes = indexed(matrices)
    found = dict(index.search(query, 5, codes))
    assert [found[slot] for slot in range(5)] == pytest.approx(reference(query, matrices).tolist(), rel=1e-5)


def test_of_equal_documents_the_earlier_comes_first() -> None:
    matrix = unit(np.random.default_rng(2), 4)
    index, codes = indexed([matrix] * 3)
    assert [slot for slot, _ in index.search(matrix, 2, codes)] == [0, 1]


def test_adding_leaves_the_index_as_it_was() -> None:
    rng = np.random.default_rng(3)
    matrices = [unit(rng, 4) for _ in range(6)]
    index, codes = indexed(matrices[:4])
    more, counts = encode_tokens(matrices[4:])
    grown = index.with_added(counts, np.concatenate([codes, more]))
    assert (len(index), len(grown), index.num_tokens, grown.num_tokens) == (4, 6, 16, 24)
    assert grown.search(matrices[5], 1, np.concatenate([codes, more]))[0][0] == 5
    assert len(index.search(matrices[5], 9, codes)) == 4


def test_nothing_is_found_without_vectors() -> None:
    index, codes = indexed([unit(np.random.default_rng(4), 4)])
    assert index.search(np.zeros((0, WIDTH), np.float32), 3, codes) == []
    empty = MultiVectorIndex.empty()
    assert empty.search(np.ones((1, WIDTH), np.float32), 3, np.zeros((0, 0), np.int8)) == []
    assert empty.rebuilt(np.zeros((0, 0), np.int8)) is empty


@pytest.mark.parametrize("query", [np.ones(WIDTH), np.ones((2, WIDTH + 1)), np.full((2, WIDTH), np.inf)])
def test_a_query_that_is_none_is_refused(query: np.ndarray) -> None:
    index, codes = indexed([unit(np.random.default_rng(5), 4)])
    with pytest.raises(InputError, match="query"):
        index.search(query, 3, codes)


def test_a_rebuild_is_due_by_the_number_of_vectors(collection: Collection) -> None:
    few, _ = indexed(collection.matrices[:1000])
    assert not few.wants_rebuild()
    assert collection.plain.wants_rebuild()
    assert not collection.rebuilt.wants_rebuild()
    thrice = np.tile(np.diff(collection.plain.offsets), 3)
    assert collection.rebuilt.with_added(thrice, np.tile(collection.tokens, (4, 1))).wants_rebuild()


def test_pruning_keeps_the_best(collection: Collection) -> None:
    assert collection.recall(collection.rebuilt) >= 0.98


@pytest.mark.parametrize("share", [0.6, 0.1])
def test_pruning_keeps_the_best_of_those_allowed(collection: Collection, share: float) -> None:
    allowed = np.random.default_rng(6).random(len(collection.plain)) < share
    assert collection.recall(collection.rebuilt, allowed) >= 0.98
    found = collection.rebuilt.search(collection.queries[0], 2000, collection.tokens, allowed)
    assert all(allowed[slot] for slot, _ in found)


def test_documents_added_to_a_rebuilt_index_are_found(collection: Collection) -> None:
    half = 1200
    index, codes = indexed(collection.matrices[:half])
    index = index.rebuilt(codes)
    counts = np.diff(collection.plain.offsets)
    for start in range(half, len(counts), 50):
        end = start + 50
        index = index.with_added(counts[start:end], collection.tokens[: collection.plain.offsets[end]])
        newest = collection.matrices[end - 1]
        assert index.search(newest, 1, collection.tokens)[0][0] == end - 1
    assert collection.recall(index) >= 0.98


def test_compaction_drops_what_is_gone(collection: Collection) -> None:
    kept = np.flatnonzero(np.random.default_rng(7).random(len(collection.plain)) < 0.7)
    new_slots = np.full(len(collection.plain), -1)
    new_slots[kept] = np.arange(len(kept))
    allowed = new_slots >= 0
    tokens = collection.tokens[collection.rebuilt.rows_of(kept)]
    compacted = collection.rebuilt.compacted(new_slots)
    assert (len(compacted), compacted.num_tokens) == (len(kept), len(tokens))
    for query in collection.queries[:5]:
        before = collection.rebuilt.search(query, 10, collection.tokens, allowed)
        after = compacted.search(query, 10, tokens)
        assert [slot for slot, _ in after] == [new_slots[slot] for slot, _ in before]
        assert [score for _, score in after] == pytest.approx([score for _, score in before], abs=1e-4)


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_saved_index_is_the_same(collection: Collection, tmp_path: Path, *, rebuild: bool) -> None:
    index = collection.rebuilt if rebuild else collection.plain
    more, counts = encode_tokens(collection.matrices[:7])
    tokens = np.concatenate([collection.tokens, more])
    index = index.with_added(counts, tokens)  # in no list yet
    index.save(tmp_path / "saved")
    loaded = MultiVectorIndex.load(tmp_path / "saved")
    assert len(loaded) == len(index)
    for query in collection.queries[:3]:
        assert loaded.search(query, 10, tokens) == index.search(query, 10, tokens)
    again = loaded.with_added(counts, np.concatenate([tokens, more]))
    assert again.num_tokens == index.num_tokens + len(more)


@pytest.mark.parametrize("name", ["offsets.npy", "centroids.npy", "starts.npy", "slots.npy", "covered.npy"])
def test_damaged_files_are_an_error(collection: Collection, tmp_path: Path, name: str) -> None:
    collection.rebuilt.save(tmp_path / "saved")
    path = tmp_path / "saved" / name
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(IndexFilesError, match="damaged"):
        MultiVectorIndex.load(tmp_path / "saved")
    with pytest.raises(IndexFilesError, match="damaged"):
        MultiVectorIndex.load(tmp_path / "missing")


def test_a_rebuild_that_is_called_off_changes_nothing(collection: Collection) -> None:
    stop = threading.Event()
    stop.set()
    assert collection.plain.rebuilt(collection.tokens, stop=stop) is collection.plain


def test_a_rebuild_gives_the_same_index_each_time(collection: Collection) -> None:
    index, codes = indexed(collection.matrices[:300])
    one, other = index.rebuilt(codes), index.rebuilt(codes)
    assert np.array_equal(one.centroids, other.centroids)
    assert np.array_equal(one.parts[0].slots, other.parts[0].slots)
