import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ConfigError, UnknownNameError
from jina_components.retriever import Fusion

METHODS = ["adaptive", "relative_score", "reciprocal_rank"]


@st.composite
def hits(draw):
    keys = draw(st.lists(st.integers(0, 20), unique=True, max_size=12))
    scores = sorted(draw(st.lists(st.floats(-5, 50), min_size=len(keys), max_size=len(keys))), reverse=True)
    return list(zip(keys, scores, strict=True))


rankings = st.fixed_dictionaries({"dense": hits(), "lexical": hits()}, optional={"multi_vector": hits()})
fusions = st.builds(
    Fusion, st.sampled_from(METHODS), st.fixed_dictionaries({}, optional={"dense": st.floats(0.1, 5)}), st.floats(0, 99)
)


def test_reciprocal_ranks_by_hand():
    fusion = Fusion("reciprocal_rank", {"dense": 1, "lexical": 2}, k=3)
    fused = fusion.fuse({"dense": [(7, 0.9), (8, 0.8)], "lexical": [(8, 12.0), (9, 3.0)]}, depth=100)
    assert [key for key, _ in fused] == [8, 9, 7]
    assert [score for _, score in fused] == pytest.approx([(4 / 5 + 2) / 3, (2 * 4 / 5) / 3, 1 / 3])


def test_relative_scores_by_hand():
    fusion = Fusion("relative_score", {"dense": 0.5, "lexical": 0.5})
    fused = fusion.fuse({"dense": [("a", 0.9), ("b", 0.6), ("c", 0.5)], "lexical": [("b", 20.0), ("d", 10.0)]}, depth=9)
    assert dict(fused) == pytest.approx({"b": 0.125 + 0.5, "a": 0.5, "c": 0, "d": 0})


def test_the_steeper_ranking_has_more_weight():
    flat = [(key, 0.80 - key / 1000) for key in range(100)]
    steep = [(99, 30.0), *((key, 2 - key / 100) for key in range(98, 0, -1))]
    best, second = Fusion().fuse({"dense": flat, "lexical": steep}, depth=100)[:2]
    assert best[0] == 99
    assert best[1] > 0.9 > 0.1 > second[1]
    equal = Fusion("relative_score", {"dense": 0.7, "lexical": 0.3}).fuse({"dense": flat, "lexical": steep}, depth=100)
    assert equal[0][0] == 0


@given(fusions, rankings)
def test_every_key_once_best_first_within_the_scale(fusion, lists):
    fused = fusion.fuse(lists, depth=5)
    assert sorted(key for key, _ in fused) == sorted({key for ranked in lists.values() for key, _ in ranked})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in scores)


@given(fusions, hits())
def test_one_ranking_keeps_its_order(fusion, ranked):
    assert fusion.fuse({"dense": [], "lexical": ranked}, depth=100) == fusion.fuse({"lexical": ranked}, depth=100)
    fused = fusion.fuse({"lexical": ranked}, depth=100)
    held = dict(ranked)
    assert [held[key] for key, _ in fused] == [score for _, score in ranked]


@given(fusions, st.lists(st.integers(0, 30), unique=True, min_size=1))
def test_the_best_of_every_ranking_has_one(fusion, keys):
    ranked = [(key, float(-place)) for place, key in enumerate(keys)]
    assert fusion.fuse({"dense": ranked, "lexical": ranked}, depth=100)[0] == (keys[0], pytest.approx(1))


@given(fusions, rankings)
def test_asking_for_more_changes_nothing_above(fusion, lists):
    depth = 4
    short = fusion.fuse({kind: ranked[:depth] for kind, ranked in lists.items()}, depth=depth)
    long = dict(fusion.fuse(lists, depth=depth))
    assert all(long[key] == pytest.approx(score) for key, score in short)


@given(st.sampled_from(METHODS[:2]), hits(), hits(), st.floats(0.1, 9), st.floats(-9, 9))
def test_the_scale_of_a_ranking_does_not_matter(method, dense, lexical, factor, offset):
    scaled = [(key, score * factor + offset) for key, score in dense]
    if len({score for _, score in scaled}) == len({score for _, score in dense}):  # nothing was rounded away
        fused = dict(Fusion(method).fuse({"dense": dense, "lexical": lexical}, depth=100))
        again = dict(Fusion(method).fuse({"dense": scaled, "lexical": lexical}, depth=100))
        spread = dense[0][1] - dense[-1][1] if dense else 0
        if spread == 0 or spread > 1e-3:
            assert again == pytest.approx(fused, abs=1e-4)


def test_settings_are_checked():
    with pytest.raises(UnknownNameError, match="reciprocal_rank"):
        Fusion("reciprocal_ranks")
    with pytest.raises(UnknownNameError, match="lexical"):
        Fusion(weights={"words": 1})
    for weights in (
        {"dense": -1},
        {"dense": float("nan")},
        {"dense": True},
        {"dense": 0, "lexical": 0, "multi_vector": 0},
    ):
        with pytest.raises(ConfigError):
            Fusion(weights=weights)
    for arguments in ({"k": -1}, {"weights": [1, 2]}):
        with pytest.raises(ConfigError):
            Fusion(**arguments)
    assert Fusion(weights={"lexical": 1}).weights["dense"] == Fusion().weights["dense"]
