from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError, IndexFilesError
from jina_components.retriever.dense import PLANS, BuildStopped, DenseIndex, plans
from jina_components.retriever.dense.plans import Exact, Graph, Lists, Scan, few_allowed, plan_for

D = 48
SLOTS = 11_000
INDEXED = {"float32": Graph, "int8": Graph, "binary": Scan, "auto": Scan}


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(n, seed, d=D):
    """Points around centres that lie in a space of fewer dimensions, as embeddings do."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((16, d))
    centres = np.random.default_rng(98).standard_normal((60, 16))
    return unit((centres[rng.integers(0, 60, n)] + 0.7 * rng.standard_normal((n, 16))) @ basis)


def exact(queries, k, vectors, allowed=None):
    cosines = queries @ vectors.T
    if allowed is not None:
        cosines = np.where(allowed, cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def recall(found, true):
    return np.mean([len(set(row) & set(best)) / len(best) for row, best in zip(found, true, strict=True)])


@pytest.fixture(autouse=True, scope="module")
def _few_are_very_few():
    """So that small indexes are searched under filters, and not only the allowed vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "few_allowed", lambda slots: 300)
        yield


@pytest.fixture(scope="module")
def vectors():
    return clustered(SLOTS, 0)


@pytest.fixture(scope="module")
def queries():
    return clustered(40, 1)


@pytest.fixture(scope="module")
def indexes(vectors):
    return {storage: DenseIndex.build(vectors, storage=storage) for storage in INDEXED}


@pytest.fixture(params=INDEXED)
def index(request, indexes):
    return indexes[request.param]


def test_the_plan_follows_storage_and_number(index):
    assert type(index.plan) is INDEXED[index.storage]
    assert isinstance(plan_for("auto", 5_000_000), Lists)
    assert all(
        isinstance(steps[0][1], Exact) and list(steps) == sorted(steps, key=lambda s: s[0]) for steps in PLANS.values()
    )


def test_an_unknown_storage_is_refused(vectors):
    with pytest.raises(ConfigError, match="float16"):
        DenseIndex.build(vectors[:10], storage="float16")


def test_nearly_all_of_the_nearest_are_found_with_exact_cosines(index, vectors, queries):
    slots, cosines = index.search(queries, 10, vectors)
    assert slots.dtype == np.int64
    assert cosines.dtype == np.float32
    assert recall(slots, exact(queries, 10, vectors)) >= 0.97
    expected = np.einsum("nkd,nd->nk", vectors[slots], queries)
    np.testing.assert_allclose(cosines, expected, atol=1e-5)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_one_query_and_many_find_the_same(index, vectors, queries):
    together, _ = index.search(queries, 10, vectors)
    alone = np.concatenate([index.search(queries[row : row + 1], 10, vectors)[0] for row in range(len(queries))])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("share", [0.99, 0.5, 0.1, 0.01])
def test_a_filter_costs_no_recall(index, vectors, queries, share):
    allowed = np.random.default_rng(2).random(SLOTS) < share
    slots, _ = index.search(queries, 10, vectors, allowed)
    assert allowed[slots].all()
    assert recall(slots, exact(queries, 10, vectors, allowed)) >= 0.97


def test_a_filter_that_leaves_out_what_is_near_still_gives_k(index, vectors, queries):
    near = exact(queries[:1], SLOTS // 2, vectors)[0]
    allowed = np.ones(SLOTS, bool)
    allowed[near] = False
    slots, _ = index.search(queries[:1], 10, vectors, allowed)
    assert (slots >= 0).all()
    assert allowed[slots].all()


@given(data=st.data(), k=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_never_fewer_than_there_are(indexes, data, k):
    index = indexes[data.draw(st.sampled_from(sorted(INDEXED)))]
    tail = data.draw(st.integers(0, 20))
    vectors = np.concatenate([clustered(SLOTS, 0), clustered(tail, 3)])
    allowed = np.zeros(len(vectors), bool)
    number = data.draw(st.sampled_from([0, 1, 5, 40, 6_000]))
    allowed[np.random.default_rng(number).choice(len(vectors), number, replace=False)] = True
    slots, cosines = index.search(clustered(3, 4), k, vectors, allowed)
    wanted = min(k, number)
    assert ((slots >= 0).sum(1) == wanted).all()
    assert allowed[slots[slots >= 0]].all()
    assert np.isneginf(cosines[slots < 0]).all()
    assert all(len(set(row[row >= 0])) == wanted for row in slots)


def test_more_are_asked_for_than_there_are(index, vectors):
    slots, cosines = index.search(vectors[:2], SLOTS + 5, vectors)
    assert ((slots >= 0).sum(1) == SLOTS).all()
    assert (slots[:, SLOTS:] == -1).all()
    assert np.isneginf(cosines[:, SLOTS:]).all()


def test_the_tail_is_searched_exactly(index, vectors, queries):
    grown = np.concatenate([vectors, queries])
    slots, cosines = index.search(queries, 3, grown)
    np.testing.assert_array_equal(slots[:, 0], SLOTS + np.arange(len(queries)))
    np.testing.assert_allclose(cosines[:, 0], 1, atol=1e-5)
    allowed = np.ones(len(grown), bool)
    allowed[SLOTS::2] = False
    filtered, _ = index.search(queries, 3, grown, allowed)
    assert (filtered[1::2, 0] == SLOTS + np.arange(1, len(queries), 2)).all()
    assert allowed[filtered].all()


@pytest.mark.parametrize("storage", INDEXED)
def test_zeros_have_the_cosine_0_and_hide_nothing(storage, vectors, queries):
    with_zeros = vectors.copy()
    with_zeros[::3] = 0
    index = DenseIndex.build(with_zeros, storage=storage)
    slots, cosines = index.search(queries, 10, with_zeros)
    assert recall(slots, exact(queries, 10, with_zeros)) >= 0.96
    only = np.zeros(SLOTS, bool)
    only[:6:3] = True
    slots, cosines = index.search(queries[:1], 5, with_zeros, only)
    assert set(slots[0]) == {0, 3, -1}
    assert (cosines[0, :2] == 0).all()


@pytest.mark.parametrize("storage", INDEXED)
def test_many_equal_vectors_hide_nothing(storage, vectors, queries):
    repeated = vectors.copy()
    repeated[::3] = vectors[1]
    index = DenseIndex.build(repeated, storage=storage)
    found = index.search(queries, 10, repeated)[1]
    best = np.take_along_axis(queries @ repeated.T, exact(queries, 10, repeated), 1)
    assert np.isclose(found, best, atol=1e-5).mean() >= 0.94


def test_few_allowed_are_compared_one_by_one():
    assert few_allowed(20_000) == 10_000
    assert few_allowed(1_000_000) == 30_000


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_vectors_need_no_index(n, queries):
    few = clustered(n, 5)
    index = DenseIndex.build(few)
    assert isinstance(index.plan, Exact)
    assert index.memory_bytes == 0
    slots, _ = index.search(queries, 3, few)
    assert ((slots >= 0).sum(1) == min(n, 3)).all()
    if n:
        np.testing.assert_array_equal(slots[:, 0], exact(queries, 1, few)[:, 0])
    assert index.search(queries[:0], 3, few)[0].shape == (0, 3)


@pytest.mark.parametrize("d", [30, 129])
@pytest.mark.parametrize("storage", ["int8", "binary"])
def test_any_number_of_dimensions(storage, d):
    vectors, queries = clustered(10_500, 6, d), clustered(20, 7, d)
    index = DenseIndex.build(vectors, storage=storage)
    assert recall(index.search(queries, 5, vectors)[0], exact(queries, 5, vectors)) >= 0.97


def test_an_index_opens_mapped_and_finds_the_same(index, vectors, queries, tmp_path):
    index.save(tmp_path / "dense")
    opened = DenseIndex.open(tmp_path / "dense")
    assert (len(opened), opened.plan, opened.storage) == (len(index), index.plan, index.storage)
    assert opened.memory_bytes == index.memory_bytes
    for one, other in zip(index.search(queries, 10, vectors), opened.search(queries, 10, vectors), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_index_without_engine_opens(tmp_path):
    DenseIndex.build(clustered(5, 0), storage="int8").save(tmp_path / "dense")
    assert len(DenseIndex.open(tmp_path / "dense")) == 5


@pytest.mark.parametrize("content", [b"", b"something else", b"{}\x02\x00\x00\x00\x00\x00\x00\x00JCD2"])
def test_what_is_no_index_is_refused(content, tmp_path):
    (tmp_path / "dense").write_bytes(content)
    with pytest.raises(IndexFilesError, match="build it anew"):
        DenseIndex.open(tmp_path / "dense")


def test_a_missing_file_and_a_missing_folder(index, tmp_path):
    with pytest.raises(IndexFilesError, match="dense"):
        DenseIndex.open(tmp_path / "dense")
    with pytest.raises(IndexFilesError, match="written"):
        index.save(tmp_path / "none" / "dense")


def test_an_extended_index_covers_all_and_leaves_the_first_as_it_was(index, vectors, queries, tmp_path):
    index.save(tmp_path / "dense")
    opened = DenseIndex.open(tmp_path / "dense")
    grown = np.concatenate([vectors, clustered(3_000, 8)])
    assert opened.wants_rebuild(len(grown))
    assert not opened.wants_rebuild(len(vectors) + 100)
    extended = opened.extended(grown)
    assert (len(extended), len(opened)) == (len(grown), SLOTS)
    assert not extended.wants_rebuild(len(grown))
    assert recall(extended.search(queries, 10, grown)[0], exact(queries, 10, grown)) >= 0.97
    np.testing.assert_array_equal(opened.search(queries, 10, vectors)[0], index.search(queries, 10, vectors)[0])


def test_an_exact_index_grows_into_one_that_is_not():
    vectors = clustered(10_500, 9)
    index = DenseIndex.build(vectors[:100], storage="binary")
    assert not index.wants_rebuild(9_000)
    assert index.wants_rebuild(len(vectors))
    assert isinstance(index.extended(vectors).plan, Scan)


@pytest.mark.parametrize("storage", INDEXED)
def test_building_is_called_off(storage, vectors):
    asked = count()
    with pytest.raises(BuildStopped):
        DenseIndex.build(vectors, storage=storage, stop=lambda: next(asked) >= 2)


def test_building_gives_way_to_other_threads(vectors):
    turns, ended = [], threading.Event()

    def build():
        DenseIndex.build(vectors, storage="int8")
        ended.set()

    builder = threading.Thread(target=build)
    builder.start()
    while not ended.wait(0.01):
        turns.append(len(turns))
    builder.join()
    assert len(turns) > 3


def test_the_same_vectors_give_the_same_index(index, vectors, tmp_path):
    index.save(tmp_path / "one")
    DenseIndex.build(vectors, storage=index.storage).save(tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_threads_search_one_index_at_once(index, vectors, queries):
    allowed = np.random.default_rng(3).random(SLOTS) < 0.6
    masks = [None, allowed, ~allowed]
    alone = [index.search(queries, 10, vectors, mask)[0] for mask in masks]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: index.search(queries, 10, vectors, masks[turn % 3])[0], range(24)))
    for turn, slots in enumerate(found):
        np.testing.assert_array_equal(slots, alone[turn % 3])


@pytest.mark.slow
def test_lists_of_many_vectors(tmp_path, monkeypatch):
    from jina_components.retriever.dense import index as module

    plan = Lists(lists=64, probes=40, candidates=800)
    monkeypatch.setattr(module, "plan_for", lambda storage, slots: plan)
    vectors, queries = clustered(40_000, 10), clustered(40, 11)
    index = DenseIndex.build(vectors, storage="binary")
    for share in (1, 0.5, 0.2):
        allowed = np.random.default_rng(4).random(len(vectors)) < share
        found = index.search(queries, 10, vectors, None if share == 1 else allowed)[0]
        assert recall(found, exact(queries, 10, vectors, allowed)) >= 0.95
    index.save(tmp_path / "dense")
    np.testing.assert_array_equal(
        DenseIndex.open(tmp_path / "dense").search(queries, 10, vectors)[0], index.search(queries, 10, vectors)[0]
    )
    asked = count()
    with pytest.raises(BuildStopped):
        DenseIndex.build(vectors, storage="binary", stop=lambda: next(asked) >= 3)


def test_vectors_mapped_from_a_file(index, vectors, queries, tmp_path):
    vectors.tofile(tmp_path / "vectors.f32")
    mapped = np.memmap(tmp_path / "vectors.f32", np.float32, "r", shape=vectors.shape)
    np.testing.assert_array_equal(index.search(queries, 10, mapped)[0], index.search(queries, 10, vectors)[0])
