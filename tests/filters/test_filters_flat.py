"""The flat form of metadata lets an engine of lists and numbers say what `matches` says."""

import json
import operator
import re

from filter_strategies import filters, metadata
from hypothesis import given, settings

from jina_components.filters import And, Field, Not, Or, bound_of, flatten, matches, tokens_of

ORDERS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
GOLDEN = (
    "1984e967030fc4533210871162706837",
    "3e5d9812d0d291b9996da25161d8ad1c",
    "9dade2ce86aa1f5abdb8725c712f535f",
    "b11ccbb621458b213985415fcd9a570f",
)


def engine(flat, one):
    """An engine that knows nothing but the flat form."""
    if isinstance(one, And):
        return all(engine(flat, part) for part in one.filters)
    if isinstance(one, Or):
        return any(engine(flat, part) for part in one.filters)
    if isinstance(one, Not):
        return not engine(flat, one.filter)
    bound = bound_of(one)
    if bound is None:
        return not set(tokens_of(one)).isdisjoint(flat.tokens)
    held = getattr(flat, bound.side)
    return bound.key in held and ORDERS[bound.operator](held[bound.key], bound.value)


@settings(deadline=None, max_examples=300)
@given(metadata(), filters())
def test_an_engine_agrees_with_matches(found, one):
    assert engine(flatten(found), one) == matches(found, one)


@settings(deadline=None)
@given(metadata())
def test_tokens_and_keys_are_harmless_and_the_same_everywhere(found):
    flat = flatten(found)
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in flat.tokens)
    assert all(re.fullmatch("[nt][0-9a-f]{24}", key) for key in (*flat.least, *flat.greatest))
    assert list(flat.tokens) == sorted(set(flat.tokens))
    assert flat.least.keys() == flat.greatest.keys()
    assert flatten(json.loads(json.dumps(found, sort_keys=True))) == flat


def test_the_digests_stay_as_they_are():
    # What stores have written; another digest would make their documents unfindable.
    flat = flatten({"a": [1, "2024-05-01"]})
    assert flat.tokens == GOLDEN
    assert flat.least == flat.greatest == {"nbebcb5199db44b62a024f724": 1, "tbebcb5199db44b62a024f724": 1714521600.0}


def test_equal_numbers_are_one_token():
    assert tokens_of(Field("a").is_in([1, 1.0, True])) == [*tokens_of(Field("a") == 1), *tokens_of(Field("a") == True)]  # noqa: E712
    assert flatten({"a": -0.0}).tokens == flatten({"a": 0}).tokens
    assert tokens_of(Field("a").is_in([])) == []


def test_deep_and_odd_metadata():
    deep = {}
    for _ in range(500):
        deep = {"a": deep}
    assert len(flatten(deep).tokens) == 500
    while deep:  # Python frees what is nested by calls within calls
        deep = deep["a"]
    assert flatten({"": 1, "\ud800": "\ud800", "\0": 2}).tokens
    assert flatten({}).tokens == ()
